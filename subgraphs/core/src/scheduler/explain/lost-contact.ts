/** Explains what the lost contact with a worker means for a job. Pure. */
import { type Continuity, defaultContinuity } from '../../shared/continuity.js';
import { isHeld } from '../../jobs/model/job-state.js';
import { decideAfterFailure } from '../../jobs/transitions/retry-policy.js';
import { leaseLost } from '../dispatch/requeue-grants.js';
import type { WaitingJob } from './pending.types.js';

/**
 * Sentence about the worker of the latest attempt of a job, if contact with it is lost.
 * @param unreachableSince end of the lease of the worker that holds the job; undefined while it is in contact
 */
export function contactReason(job: WaitingJob, unreachableSince: Date | undefined): string | undefined {
  const attempt = job.attempts?.at(-1);
  const since = isHeld(job.state) ? unreachableSince : attempt?.unreachable?.since;
  if (!attempt || !since) return undefined;
  const { continueSeconds, reassignAfterSeconds }: Continuity = attempt.continuity ?? defaultContinuity;
  const at = (seconds: number): string => new Date(since.getTime() + seconds * 1000).toISOString();
  const lost = `Worker ${attempt.workerId} is unreachable since ${since.toISOString()}; its payload may run until ${at(continueSeconds)}`;
  if (!isHeld(job.state))
    return `${lost}, and continues the job if it returns before another worker has begun it.`;
  return isLast(job, attempt.workerId, since)
    ? `${lost}; no attempt is left, so the job fails then.`
    : `${lost}; another worker gets the job at ${at(reassignAfterSeconds)}.`;
}

/** True if no attempt follows the loss of the worker. */
function isLast({ attempt = 0, attempts = [], retry }: WaitingJob, workerId: string, at: Date): boolean {
  if (!retry) return false;
  return decideAfterFailure({ attempt, attempts, retry }, leaseLost(workerId, ''), at).to === 'FAILED';
}
