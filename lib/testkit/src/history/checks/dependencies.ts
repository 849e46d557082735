/** Checks of jobs that depend on others. */
import type { Fact, History, JobWrite, StoredJob } from '../history.types.js';
import { finalStates } from '../job-table.js';

const actor = 'system:dependencies';

function* childrenOf({ jobs }: Pick<History, 'jobs'>): Generator<StoredJob> {
  for (const job of jobs.values()) if (job.dependsOn.length > 0) yield job;
}

/** A job becomes ready only after all its parents have FINISHED. */
export function* childrenFollowParents(history: History): Generator<Fact> {
  const { jobs, logs } = history;
  for (const child of childrenOf(history)) {
    const { _id, dependsOn, state, waitingFor, attempt } = child;
    const isReady = attempt > 0 || (waitingFor.length === 0 && state !== 'PENDING');
    const early = dependsOn.find((id) => isReady && (jobs.get(id)?.state ?? 'FINISHED') !== 'FINISHED');
    if (early !== undefined) yield `job ${_id} is ${state}; its parent ${early} is ${jobs.get(early)?.state}`;
    const ready = logs
      .get(_id)
      ?.find(({ last }) => last && last.to !== 'PENDING' && !finalStates.has(last.to));
    const open = dependsOn.find((id) => ready && isAfter(finishOf(logs.get(id)), ready));
    if (open !== undefined) yield `job ${_id} was ready before its parent ${open} had FINISHED`;
  }
}

function finishOf(log: readonly JobWrite[] | undefined): JobWrite | undefined {
  return log?.find(({ last }) => last?.to === 'FINISHED');
}

const isAfter = (one: JobWrite | undefined, other: JobWrite): boolean =>
  one !== undefined && one.position > other.position;

/** The end of the parents releases a job once. */
export function* releasedOnce(history: History): Generator<Fact> {
  for (const child of childrenOf(history)) {
    const releases = (history.logs.get(child._id) ?? []).filter(
      ({ last }) => last?.actor === actor && last.from !== null,
    );
    if (releases.length > 1) yield `job ${child._id} was released or closed ${releases.length} times`;
  }
}

/** A job waits only for its own parents, and for none once it is past PENDING. */
export function* waitsForItsParents({ jobs }: History): Generator<Fact> {
  for (const { _id, waitingFor, dependsOn, state } of jobs.values()) {
    const stranger = waitingFor.find((id) => !dependsOn.includes(id));
    if (stranger !== undefined) yield `job ${_id} waits for ${stranger}, on which it does not depend`;
    if (waitingFor.length > 0 && state !== 'PENDING' && !finalStates.has(state))
      yield `job ${_id} is ${state} and still waits for ${waitingFor.join(', ')}`;
  }
}

/** A job is closed by its parents only if one of them ended otherwise than FINISHED. */
export function* closedForAReason(history: History): Generator<Fact> {
  const { jobs } = history;
  for (const { _id, state, last, dependsOn } of childrenOf(history)) {
    if (state !== 'CLOSED' || last.actor !== actor) continue;
    const states = dependsOn.map((id) => jobs.get(id)?.state ?? 'FAILED');
    if (!states.some((one) => finalStates.has(one) && one !== 'FINISHED'))
      yield `job ${_id} was closed; its parents are ${states.join(', ')}`;
  }
}
