/** Rule for attempts that were given away while their payloads may still run. Pure. */
import { defaultContinuity } from '../../shared/continuity.js';
import { isWaiting } from './job-state.js';
import type { JobDocument, StoredAttempt, StoredJobError } from './job.types.js';

/** Code of attempts whose workers never received their grants. */
const grantLost = 'GRANT_LOST';

/** Fields of an attempt that decide whether it may be valid again. */
export interface ResumableAttempt extends Pick<
  StoredAttempt,
  'number' | 'startedAt' | 'unreachable' | 'continuity'
> {
  readonly error?: Pick<StoredJobError, 'code'>;
}

/** A job with attempts that may be valid again. */
export interface ResumableJob extends Pick<JobDocument, 'state' | 'attempt'> {
  readonly attempts: readonly ResumableAttempt[];
}

/** Time until which the payload of an attempt may run without contact, which was lost at a time. */
export function payloadEnd(
  { continuity = defaultContinuity }: Pick<StoredAttempt, 'continuity'>,
  since: Date,
): Date {
  return new Date(since.getTime() + continuity.continueSeconds * 1000);
}

/** True if the attempt is valid again when its worker returns now: no later attempt has begun. */
export function isResumable(
  { state, attempt, attempts }: ResumableJob,
  givenAway: Pick<ResumableAttempt, 'number'>,
): boolean {
  if (!isWaiting(state) && state !== 'SENT') return false;
  const later = attempts.filter(({ number }) => number > givenAway.number);
  // A current grant that is SENT has not begun.
  const ended = state === 'SENT' ? later.filter(({ number }) => number < attempt) : later;
  return ended.every(isNeverBegun);
}

/** True if an attempt of the job was given away, and is valid again when its worker returns now. */
export function mayReturn(job: ResumableJob, now: Date): boolean {
  return job.attempts.some((attempt) => {
    const { unreachable } = attempt;
    if (!unreachable || payloadEnd(attempt, unreachable.since) < now) return false;
    return isResumable(job, attempt);
  });
}

/** Its worker never received it, or was not known to have begun it when contact was lost. */
function isNeverBegun({ startedAt, unreachable, error }: ResumableAttempt): boolean {
  return startedAt === undefined && (unreachable?.state === 'SENT' || error?.code === grantLost);
}
