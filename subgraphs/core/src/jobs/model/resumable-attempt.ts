/** Rule for attempts that were given away while their payloads may still run. Pure. */
import { defaultContinuity } from '../../shared/continuity.js';
import { isWaiting } from './job-state.js';
import type { JobDocument, StoredAttempt } from './job.types.js';

/** Code of attempts whose workers never received their grants. */
const grantLost = 'GRANT_LOST';

/** Time until which the payload of an attempt may run without contact, which was lost at a time. */
export function payloadEnd(
  { continuity = defaultContinuity }: Pick<StoredAttempt, 'continuity'>,
  since: Date,
): Date {
  return new Date(since.getTime() + continuity.continueSeconds * 1000);
}

/** True if the attempt is valid again when its worker returns now: no later attempt has begun. */
export function isResumable(
  { state, attempt, attempts }: Pick<JobDocument, 'state' | 'attempt' | 'attempts'>,
  givenAway: StoredAttempt,
): boolean {
  if (!isWaiting(state) && state !== 'SENT') return false;
  const later = attempts.filter(({ number }) => number > givenAway.number);
  // A current grant that is SENT has not begun.
  const ended = state === 'SENT' ? later.filter(({ number }) => number < attempt) : later;
  return ended.every(isNeverBegun);
}

/** Its worker never received it, or was not known to have begun it when contact was lost. */
function isNeverBegun({ startedAt, unreachable, error }: StoredAttempt): boolean {
  return startedAt === undefined && (unreachable?.state === 'SENT' || error?.code === grantLost);
}
