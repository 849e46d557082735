/** Checks of the answers that callers received. Test set-ups of core record them. */
import type { Fact, History, RecordedAnswer, StoredEvent } from '../history.types.js';
import { heldStates } from '../job-table.js';

type AnswerOf<K extends RecordedAnswer['kind']> = Extract<RecordedAnswer, { readonly kind: K }>;

function answersOf<K extends RecordedAnswer['kind']>({ answers }: History, kind: K): readonly AnswerOf<K>[] {
  return answers.filter((answer): answer is AnswerOf<K> => answer.kind === kind);
}

/** Undefined if not all are known. */
function eventsOf({ logs, hasAllWrites }: History, jobId: string): readonly StoredEvent[] | undefined {
  if (!hasAllWrites) return undefined;
  return logs.get(jobId)?.flatMap(({ last }) => last ?? []);
}

/** A grant is sent to one worker only, after it was written. */
export function* grantsAreAnsweredOnce(history: History): Generator<Fact> {
  const owners = new Map<string, string>();
  for (const { workerId, jobId, fence } of answersOf(history, 'GRANT')) {
    const key = `${jobId} ${fence}`;
    const owner = owners.get(key);
    if (owner !== undefined && owner !== workerId)
      yield `job ${jobId} was given to workers ${owner} and ${workerId} under fence ${fence}`;
    owners.set(key, workerId);
    const events = eventsOf(history, jobId);
    const isWritten = events?.some(
      (one) => one.fence === fence && one.to === 'SENT' && one.workerId === workerId,
    );
    if (isWritten === false)
      yield `job ${jobId} was given to worker ${workerId} under fence ${fence}, which was not written`;
  }
}

/** Order of the states that reports bring about; an end by failure may have any state before it. */
const order = ['SENT', 'STARTING', 'RUNNING', 'HOLDING', 'TRANSFERRING', 'FINISHED'];

/** A report counts only under the fence by which its worker has the job. */
export function* reportsCountForHolders(history: History): Generator<Fact> {
  for (const { jobId, fence, phase } of answersOf(history, 'REPORT')) {
    const events = eventsOf(history, jobId);
    if (!events) continue;
    const isDone = events.some((event, index) => {
      if (phase === 'FAILED') return events[index - 1]?.fence === fence && !heldStates.has(event.to);
      return event.fence === fence && order.indexOf(event.to) >= order.indexOf(phase);
    });
    if (!isDone)
      yield `the report ${phase} of job ${jobId} under fence ${fence} was accepted, and nothing happened under it`;
  }
}

/** The worker that holds a job is not ordered to drop it. */
export function* holdersKeepTheirJobs(history: History): Generator<Fact> {
  for (const { workerId, jobId, fence } of answersOf(history, 'DROP')) {
    const job = history.jobs.get(jobId);
    if (job && heldStates.has(job.state) && job.fence === fence && job.workerId === workerId)
      yield `worker ${workerId} was ordered to drop job ${jobId}, which it has under fence ${fence}`;
  }
}

/** Submits with one key have one answer. */
export function* keysHaveOneAnswer(history: History): Generator<Fact> {
  const byKey = new Map<string, string>();
  for (const { key, jobIds } of answersOf(history, 'SUBMIT')) {
    const ids = jobIds.join(' ');
    const earlier = byKey.get(key);
    if (earlier !== undefined && earlier !== ids)
      yield `the submit ${key} was answered with ${earlier}, and with ${ids}`;
    byKey.set(key, ids);
    const lost = jobIds.find((id) => id !== '' && history.hasAllJobs && !history.jobs.has(id));
    if (lost !== undefined) yield `job ${lost} of the submit ${key} was answered and does not exist`;
  }
}

/** A subscriber receives the events of a job in their order, each once, and none is left out. */
export function* subscribersMissNothing(history: History): Generator<Fact> {
  const newest = new Map<string, number>();
  for (const { subscriber, jobId, revision, isComplete } of answersOf(history, 'EVENT')) {
    const key = `${subscriber} ${jobId}`;
    const before = newest.get(key);
    newest.set(key, revision);
    if (before === undefined) continue;
    if (revision <= before)
      yield `a subscriber got the event of job ${jobId} with revision ${revision} after ${before}`;
    else if (isComplete && revision !== before + 1)
      yield `a subscriber got the event of job ${jobId} with revision ${revision} right after ${before}`;
  }
}

/** A job whose cancel was acknowledged is not given to a worker, nor started, from then on. */
export function* noGrantAfterACancel(history: History): Generator<Fact> {
  for (const jobId of new Set(answersOf(history, 'CANCEL').map((answer) => answer.jobId))) {
    const events = eventsOf(history, jobId) ?? [];
    const last = events.findLast(({ to }) => to === 'CANCELLED' || heldStates.has(to));
    // A grant or a report of before the cancel may be answered after it, so only the writes count.
    if (last && last.to !== 'CANCELLED')
      yield `job ${jobId} is ${last.to} at worker ${last.workerId} after its cancel was acknowledged`;
  }
}
