/** Checks of what is derived from events: counts, and the ends of tasks. */
import type { Fact, History, StoredEvent } from '../history.types.js';
import { finalStates } from '../job-table.js';
import { countBy, isRetrying } from './submits.js';
import { endOf } from './transitions.js';

const endedTaskStates: ReadonlySet<string> = new Set([...finalStates, 'DONE']);

const keyOf = (...parts: readonly (string | null | undefined)[]): string =>
  parts.map((part) => part ?? '-').join(' ');

/** Owner of canary jobs, which the counts leave out. */
const canaryOwner = 'system:canaries';

/** The stored counts are the sum of all events up to their position, each counted once. */
export function* countsMatchEvents({ counts, writes, logs, jobs, hasAllWrites }: History): Generator<Fact> {
  if (!counts || !hasAllWrites || [...jobs.keys()].some((id) => !logs.has(id))) return;
  const newest = new Map<string, StoredEvent>();
  for (const { jobId, last, token } of writes)
    if (last && token <= counts.token && last.owner !== canaryOwner) newest.set(jobId, last);
  const due = countBy(newest.values(), ({ experiment, share, queue, gpu, to }) =>
    keyOf(experiment, share, queue, gpu?.model, to),
  );
  const stored = new Map(
    counts.jobs.map(({ experiment, share, queue, gpuModel, state, count }) => [
      keyOf(experiment, share, queue, gpuModel, state),
      count,
    ]),
  );
  for (const key of new Set([...due.keys(), ...stored.keys()])) {
    const [is, must] = [stored.get(key) ?? 0, due.get(key) ?? 0];
    if (is !== must) yield `the count of ${key} is ${is}; the events say ${must}`;
  }
}

/** A task ends when the jobs of all its positions have ended, and its state follows from theirs. */
export function* tasksFollowTheirJobs({ tasks, jobs, hasAllJobs, operations }: History): Generator<Fact> {
  if (!hasAllJobs || isRetrying(operations)) return;
  const byTask = new Map<string, Map<string, number>>();
  for (const { taskId, retriedBy, state } of jobs.values()) {
    if (taskId === undefined || retriedBy !== undefined) continue;
    const states = byTask.get(taskId) ?? new Map<string, number>();
    byTask.set(taskId, states.set(state, (states.get(state) ?? 0) + 1));
  }
  for (const { _id, state, totalJobs, endStates, control } of tasks) {
    if (!endedTaskStates.has(state)) continue;
    const states = byTask.get(_id) ?? new Map<string, number>();
    const ended = [...states]
      .filter(([one]) => finalStates.has(one))
      .reduce((sum, [, count]) => sum + count, 0);
    if (ended !== totalJobs) yield `task ${_id} is ${state}; ${ended} of its ${totalJobs} jobs have ended`;
    const due = endStateOf(states, control?.action);
    if (state !== due) yield `task ${_id} is ${state}; by its jobs it is ${due}`;
    for (const [one, count] of Object.entries(endStates ?? {}))
      if (count !== (states.get(one) ?? 0))
        yield `task ${_id} ended with ${count} jobs ${one}; it has ${states.get(one) ?? 0}`;
  }
}

function endStateOf(states: ReadonlyMap<string, number>, command: string | undefined): string {
  const has = (state: string): boolean => (states.get(state) ?? 0) > 0;
  if (!has('FAILED') && !has('CANCELLED') && !has('CLOSED')) return 'FINISHED';
  if (command === 'FINISH' || command === 'ABORT') return command === 'FINISH' ? 'DONE' : 'CANCELLED';
  return !has('FINISHED') && !has('FAILED') && has('CANCELLED') ? 'CANCELLED' : 'FAILED';
}

/** A task ends after the last of its jobs. */
export function* tasksEndLast({ taskWrites, logs, jobs }: History): Generator<Fact> {
  const ends = new Map<string, number>();
  for (const { taskId, state, position } of taskWrites)
    if (endedTaskStates.has(state)) ends.set(taskId, position);
    else ends.delete(taskId);
  for (const [id, { taskId, retriedBy }] of jobs) {
    const end = taskId === undefined || retriedBy !== undefined ? undefined : ends.get(taskId);
    const last = endOf(logs.get(id));
    if (end !== undefined && last && last.position > end) yield `task ${taskId} ended before its job ${id}`;
  }
}
