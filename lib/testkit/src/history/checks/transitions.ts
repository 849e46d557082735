/** Checks of each job's own transitions. */
import type { Fact, History, JobWrite, StoredEvent, StoredJob } from '../history.types.js';
import { finalStates, firstStates, nextStates } from '../job-table.js';

/** Most transitions that a job lists. */
const keptTransitions = 64;

/** An event, with the one before. */
export interface Step {
  readonly jobId: string;
  readonly event: StoredEvent;
  readonly before: StoredEvent | undefined;
}

/** The steps of all jobs whose whole log was read, job by job. */
export function* stepsOf({ logs }: Pick<History, 'logs'>): Generator<Step> {
  for (const [jobId, log] of logs) {
    let before: StoredEvent | undefined;
    for (const write of log) {
      if (!write.last) continue;
      yield { jobId, event: write.last, before };
      before = write.last;
    }
  }
}

/** The write that ended a job, if its log has one. */
export function endOf(log: readonly JobWrite[] | undefined): JobWrite | undefined {
  return log?.find(({ last }) => last && finalStates.has(last.to));
}

/** Every step uses an edge of the state machine, and begins where the last one ended. */
export function* legalEdges({ logs, jobs }: History): Generator<Fact> {
  for (const { jobId, event, before } of stepsOf({ logs })) {
    const { from, to, revision } = event;
    if (!before) {
      if (from !== null || !firstStates.has(to))
        yield `job ${jobId} was submitted as ${to}, coming from ${String(from)}`;
      continue;
    }
    if (from !== before.to)
      yield `job ${jobId} left ${String(from)} at revision ${revision}, but was ${before.to}`;
    if (from === null || nextStates.get(from)?.has(to) !== true)
      yield `job ${jobId} went from ${String(from)} to ${to} at revision ${revision}`;
  }
  for (const { _id, transitions } of jobs.values())
    for (const { from, to, revision } of transitions)
      if (nextStates.get(from)?.has(to) !== true)
        yield `job ${_id} lists a transition from ${from} to ${to} at revision ${revision}`;
}

/** Revisions start with 1 and grow by one, in events and in the listed transitions. */
export function* revisionsWithoutGaps({ logs, jobs }: History): Generator<Fact> {
  for (const { jobId, event, before } of stepsOf({ logs })) {
    const due = (before?.revision ?? 0) + 1;
    if (event.revision !== due)
      yield `job ${jobId} has an event with revision ${event.revision}; must be ${due}`;
  }
  for (const job of jobs.values()) {
    const { _id, revision, transitions } = job;
    const kept = Math.min(revision - 1, keptTransitions);
    if (transitions.length !== kept)
      yield `job ${_id} lists ${transitions.length} transitions at revision ${revision}; must be ${kept}`;
    for (const [index, one] of transitions.entries()) {
      const due = revision - transitions.length + 1 + index;
      if (one.revision !== due)
        yield `job ${_id} lists a transition with revision ${one.revision}; must be ${due}`;
    }
  }
}

/** The document of a job is what its last event says. */
export function* documentsMatchEvents({ jobs, logs, hasAllWrites }: History): Generator<Fact> {
  for (const job of jobs.values()) {
    yield* ofDocument(job);
    const log = logs.get(job._id);
    if (!log || !hasAllWrites) continue;
    const events = log.flatMap(({ last }) => last ?? []);
    const event = events.at(-1);
    if (event?.revision !== job.revision || event.to !== job.state)
      yield `job ${job._id} is ${job.state} at revision ${job.revision}; its last event is ${event?.to} at ${event?.revision}`;
    const listed = job.transitions.map(({ from, to, attempt, actor }) => `${from} ${to} ${attempt} ${actor}`);
    const seen = events.slice(1).map(({ from, to, attempt, actor }) => `${from} ${to} ${attempt} ${actor}`);
    const differs = listed.findIndex((one, index) => one !== seen.at(index - listed.length));
    if (differs >= 0)
      yield `job ${job._id} lists the transition "${listed[differs]}"; its event was "${seen.at(differs - listed.length)}"`;
  }
}

function* ofDocument({
  _id,
  last,
  revision,
  state,
  attempt,
  fence,
  workerId,
  transitions,
}: StoredJob): Generator<Fact> {
  const newest = transitions.at(-1);
  const pairs = [
    ['revision', last.revision, revision],
    ['state', last.to, state],
    ['attempt', last.attempt, attempt],
    ['fence', last.fence, fence],
    ['worker', last.workerId, workerId],
    ['listed state', newest?.to ?? state, state],
  ] as const;
  for (const [what, inEvent, inJob] of pairs)
    if (inEvent !== inJob) yield `job ${_id} has the ${what} ${inJob}; its last event has ${inEvent}`;
}

/** Nothing happens to a job that has ended. */
export function* nothingAfterTheEnd({ logs, jobs }: History): Generator<Fact> {
  for (const [jobId, log] of logs) {
    let ended: string | undefined;
    for (const { kind, last, state } of log) {
      if (ended !== undefined && kind === 'UPDATE' && (last ?? state) !== undefined)
        yield `job ${jobId} was ${ended}, and then went to ${last?.to ?? state}`;
      const now = state ?? last?.to;
      if (now !== undefined && finalStates.has(now)) ended = now;
    }
  }
  for (const { _id, transitions } of jobs.values()) {
    const left = transitions.find(({ from }) => finalStates.has(from));
    if (left) yield `job ${_id} lists a transition from ${left.from} to ${left.to}`;
  }
}

/** A job leaves PENDING for ACTIVATED only when its backoff is over. */
export function* notBeforeTheBackoffEnds({ logs }: History): Generator<Fact> {
  for (const { jobId, event, before } of stepsOf({ logs })) {
    const due = before?.notBefore;
    if (due && before.to === 'PENDING' && event.to === 'ACTIVATED' && event.at < due)
      yield `job ${jobId} was activated at ${event.at.toISOString()}; its backoff ends at ${due.toISOString()}`;
  }
}

/** Each write that changes a job carries its whole event, once: subscribers read nothing else. */
export function* eventsOfEveryChange({ logs }: History): Generator<Fact> {
  const whole = ['to', 'at', 'actor', 'experiment', 'share', 'fence', 'attempt'] as const;
  for (const [jobId, log] of logs)
    for (const { last, state, revision, kind } of log) {
      if (kind === 'DELETE' || (last ?? state ?? revision) === undefined) continue;
      if (!last)
        yield `job ${jobId} changed to ${state ?? 'a state'} at revision ${revision} without an event`;
      else if (last.revision !== revision || (state !== undefined && last.to !== state))
        yield `job ${jobId} changed to ${state} at revision ${revision}; its event is ${last.to} at ${last.revision}`;
      else {
        const missing = whole.filter((field) => last[field] === undefined);
        if (missing.length > 0)
          yield `the event of job ${jobId} at revision ${revision} lacks ${missing.join(', ')}`;
      }
    }
}
