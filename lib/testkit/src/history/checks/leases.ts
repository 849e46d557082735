/** Checks of what happens to jobs when the lease of their worker ends. */
import type { Fact, History, JobWrite, StoredAttempt } from '../history.types.js';
import { defaultContinuity, heldStates } from '../job-table.js';

const leaseLost = 'LEASE_LOST';

/** A worker whose loss was followed up to the end has no job. */
export function* goneWorkersHoldNothing({
  workers,
  leased,
  jobs,
  logs,
  leaseWrites,
}: History): Generator<Fact> {
  for (const { _id, state, workerId } of jobs.values()) {
    const worker = workerId === undefined ? undefined : workers.get(workerId);
    const isGone = worker?.state === 'LOST' || worker?.state === 'ENDED';
    if (heldStates.has(state) && worker && isGone && !leased.has(worker._id))
      yield `job ${_id} is ${state} at worker ${worker._id}, which is ${worker.state} and has no lease`;
  }
  const removals = new Map(leaseWrites.map(({ workerId, position }) => [workerId, position]));
  if (removals.size === 0) return;
  for (const [jobId, log] of logs)
    for (const [index, write] of log.entries()) {
      const removed = removals.get(write.last?.workerId ?? '');
      if (removed === undefined || !isHeldAt(write, log[index + 1], removed)) continue;
      yield `job ${jobId} was ${write.last?.to} at worker ${write.last?.workerId} when its lease was removed`;
    }
}

function isHeldAt(write: JobWrite, next: JobWrite | undefined, position: number): boolean {
  const isHeld = write.last !== undefined && heldStates.has(write.last.to);
  return isHeld && write.position < position && next !== undefined && next.position > position;
}

/** Another worker gets the job of a silent one after the time that applies to it, and not before. */
export function* notGivenAwayEarly({ jobs }: History): Generator<Fact> {
  for (const { _id, attempts } of jobs.values())
    for (const { number, unreachable, endedAt, continuity = defaultContinuity } of attempts) {
      if (!unreachable || !endedAt) continue;
      const due = unreachable.since.getTime() + continuity.reassignAfterSeconds * 1000;
      // The times are those of two clocks: of the store, and of the leader.
      if (endedAt.getTime() < due - 2000)
        yield `attempt ${number} of job ${_id} was given away at ${endedAt.toISOString()}, due at ${new Date(due).toISOString()}`;
    }
}

/**
 * The attempt of a payload that may run on without contact does not end for good while its worker may return.
 */
export function* payloadsMayGoOn({ jobs, workers }: History): Generator<Fact> {
  for (const { _id, attempts } of jobs.values())
    for (const attempt of attempts) {
      const worker = workers.get(attempt.workerId);
      if (!worker || !isGivenUp(attempt)) continue;
      if (worker.state === 'LOST' || worker.state === 'ENDED') continue;
      yield `attempt ${attempt.number} of job ${_id} was given up for good; its worker ${worker._id} is ${worker.state}`;
    }
}

function isGivenUp({
  error,
  unreachable,
  lostSeconds,
  continuity = defaultContinuity,
}: StoredAttempt): boolean {
  if (error?.code !== leaseLost) return false;
  return continuity.continueSeconds > 0 && (unreachable ?? lostSeconds) === undefined;
}
