/** Checks of accepted jobs: those of submits, of tasks and of retries. */
import { createHash } from 'node:crypto';
import type { Fact, History, StoredJob, StoredSubmission } from '../history.types.js';
import { finalStates } from '../job-table.js';
import { endOf } from './transitions.js';

/** A job that was written is still there. */
export function* jobsAreKept({ logs, jobs, hasAllJobs, hasAllWrites }: History): Generator<Fact> {
  if (!hasAllJobs || !hasAllWrites) return;
  for (const id of logs.keys()) if (!jobs.has(id)) yield `job ${id} was accepted and is gone`;
}

/** A waiting job has what moves it on: a parent, a backoff, a hold, or a class to be placed by. */
export function* waitingJobsGoOn({ jobs, classIds }: History): Generator<Fact> {
  for (const job of jobs.values()) {
    const { _id, state, hold, notBefore, waitingFor, lookup, classId } = job;
    if (state === 'ACTIVATED' && classIds.size > 0 && !classIds.has(classId))
      yield `job ${_id} is ACTIVATED; its requirement class ${classId} does not exist`;
    if (state !== 'PENDING') continue;
    if (!hold && !notBefore && waitingFor.length === 0) yield `job ${_id} is PENDING and waits for nothing`;
    const parent = waitingFor.find((id) => !lookup.includes(`p:${id}`));
    if (parent !== undefined) yield `job ${_id} waits for ${parent}, whose end will not find it`;
    if (notBefore && !hold && !lookup.some((key) => key.startsWith('b:')))
      yield `job ${_id} waits for the end of its backoff, which will not find it`;
  }
}

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Beginning of the ids of a batch of jobs: its time, and a hash of its id. */
function prefixOf({ batchId, createdAt }: Pick<StoredSubmission, 'batchId' | 'createdAt'>): string {
  const digits = (value: bigint, length: number): string =>
    Array.from({ length }, (_, at) => alphabet[Number((value >> BigInt(5 * (length - 1 - at))) & 31n)]).join(
      '',
    );
  const hash = createHash('sha256').update(batchId).digest().readBigUInt64BE(0);
  return `job_${digits(BigInt(createdAt.getTime()), 10)}${digits(hash >> 9n, 11)}`;
}

/** The last five characters of an id are the position in its batch. */
const positionLength = 5;

/** A submit that is done has all its jobs, and no more: whatever repeated it. */
export function* submitsAreWhole({ submissions, jobs, tasks, hasAllJobs }: History): Generator<Fact> {
  if (!hasAllJobs) return;
  const byPrefix = countBy(jobs.values(), ({ _id }) => _id.slice(0, -positionLength));
  const taskIds = new Set(tasks.map(({ _id }) => _id));
  for (const submission of submissions) {
    const { _id, count, refused, doneAt, batchId } = submission;
    if (taskIds.has(batchId) || batchId.startsWith('task_')) continue;
    const due = count - new Set(refused.map(({ index }) => index)).size;
    const found = byPrefix.get(prefixOf(submission)) ?? 0;
    if (found > due || (doneAt && found < due)) yield `submit ${_id} promised ${due} jobs and has ${found}`;
  }
}

/** Number of items with each key. */
export function countBy<T>(items: Iterable<T>, keyOf: (item: T) => string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}

/** One batch belongs to one key. */
export function* keysHaveOneBatch({ submissions }: History): Generator<Fact> {
  const keys = new Map<string, string>();
  for (const { _id, batchId } of submissions) {
    const other = keys.get(batchId);
    if (other !== undefined) yield `submits ${other} and ${_id} have one batch: ${batchId}`;
    keys.set(batchId, _id);
  }
}

/** Each position of a task has one job that counts, and all positions that were created have one. */
export function* taskPositionsAreUnique({ jobs, tasks, hasAllJobs }: History): Generator<Fact> {
  if (!hasAllJobs) return;
  const positions = new Map(tasks.map(({ _id }) => [_id, new Map<number, string>()]));
  for (const { _id, taskId, taskIndex, retriedBy } of jobs.values()) {
    if (taskId === undefined || taskIndex === undefined || retriedBy !== undefined) continue;
    const ofTask = positions.get(taskId);
    if (!ofTask) continue;
    const other = ofTask.get(taskIndex);
    if (other !== undefined) yield `jobs ${other} and ${_id} are at position ${taskIndex} of task ${taskId}`;
    ofTask.set(taskIndex, _id);
  }
  for (const { _id, createdJobs, totalJobs } of tasks) {
    const found = positions.get(_id) ?? new Map<number, string>();
    const missing = Array.from({ length: createdJobs }, (_, at) => at).find((at) => !found.has(at));
    if (missing !== undefined)
      yield `task ${_id} has created ${createdJobs} jobs and has none at position ${missing}`;
    const beyond = [...found.keys()].find((at) => at >= totalJobs);
    if (beyond !== undefined) yield `task ${_id} has ${totalJobs} jobs and one at position ${beyond}`;
  }
}

/** A retry is a new job of an ended one; an operation copies each job once. */
export function* retriesAreNewJobs(history: History): Generator<Fact> {
  const { jobs, operations, logs, hasAllJobs } = history;
  for (const { _id, retryOf, experiment } of jobs.values()) {
    const source = retryOf === undefined ? undefined : jobs.get(retryOf);
    if (retryOf === undefined || (!source && !hasAllJobs)) continue;
    if (!source) yield `job ${_id} retries ${retryOf}, which does not exist`;
    else if (source.experiment !== experiment) yield `job ${_id} retries ${retryOf} of another experiment`;
    else if (!finalStates.has(source.state)) yield `job ${_id} retries ${retryOf}, which is ${source.state}`;
    const [written] = logs.get(_id) ?? [];
    const end = endOf(logs.get(retryOf));
    if (written && end && end.position > written.position)
      yield `job ${_id} was written before ${retryOf}, which it retries, had ended`;
  }
  for (const { _id, kind, changedIds = [] } of operations) {
    if (kind !== 'RETRY' || !hasAllJobs) continue;
    yield* ofOperation(_id, changedIds, jobs);
  }
}

function* ofOperation(
  operationId: string,
  copies: readonly string[],
  jobs: ReadonlyMap<string, StoredJob>,
): Generator<Fact> {
  const sources = new Map<string, string>();
  for (const id of copies) {
    const source = jobs.get(id)?.retryOf;
    if (source === undefined) yield `retry ${operationId} lists ${id}, which is no copy`;
    else if (sources.has(source))
      yield `retry ${operationId} copied ${source} twice: ${sources.get(source)} and ${id}`;
    else sources.set(source, id);
  }
}

/** A retry that was interrupted goes on later: until then, some of its copies do not exist. */
export function isRetrying(operations: History['operations']): boolean {
  return operations.some(({ kind, state }) => kind === 'RETRY' && state === 'RUNNING');
}

/** The copy that replaces a job in its task is a copy of it. */
export function* replacedJobsHaveCopies({ jobs, hasAllJobs, operations }: History): Generator<Fact> {
  if (isRetrying(operations)) return;
  for (const { _id, retriedBy, state } of jobs.values()) {
    if (retriedBy === undefined) continue;
    if (!finalStates.has(state)) yield `job ${_id} is ${state}, and ${retriedBy} counts instead`;
    const copy = jobs.get(retriedBy);
    if (copy ? copy.retryOf !== _id : hasAllJobs)
      yield `${retriedBy} counts instead of job ${_id}, and is no copy of it`;
  }
}

/** Jobs that a cancel acknowledged are CANCELLED. */
export function* acknowledgedCancelsHold({ operations, jobs, answers }: History): Generator<Fact> {
  const ids = [
    ...operations.flatMap(({ kind, changedIds = [] }) => (kind === 'CANCEL' ? changedIds : [])),
    ...answers.flatMap((answer) => (answer.kind === 'CANCEL' ? [answer.jobId] : [])),
  ];
  for (const id of new Set(ids)) {
    const state = jobs.get(id)?.state;
    if (state !== undefined && state !== 'CANCELLED')
      yield `the cancel of job ${id} was acknowledged; the job is ${state}`;
  }
}
