import { type DecidingError, isPlannedEnd, isUncounted, mostUncountedAttempts } from '@rhizome/errors';
import type { JobDocument, StoredJobError, StoredRetryPolicy, UncountedReason } from '../model/job.types.js';

/** Maximum delay between two attempts, in seconds: seven days. */
export const longestBackoffSeconds = 604_800;

/** Next step of a job whose attempt failed. */
export type AfterFailure =
  | { readonly to: 'ACTIVATED' }
  | { readonly to: 'PENDING'; readonly notBefore: Date }
  | { readonly to: 'FAILED' };

/** A job with the attempt that has failed. */
export interface FailedJob extends Pick<JobDocument, 'attempt' | 'retry' | 'plannedEnds' | 'uncountedEnds'> {
  /** Its listed attempts; the last one has failed, and may have no error yet. */
  readonly attempts?: readonly {
    readonly error?: DecidingError | undefined;
    readonly uncounted?: UncountedReason;
  }[];
}

/**
 * Decides by the retry policy whether another attempt follows, at once or after a backoff. Another attempt
 * always follows one that does not count.
 * @param job number of the failed attempt, the policy, and the attempts before
 * @param now time of the failure
 */
export function decideAfterFailure(
  job: FailedJob,
  error: DecidingError & Pick<StoredJobError, 'family'>,
  now: Date,
): AfterFailure {
  const { retry } = job;
  if (costsNoAttempt(job, error)) return { to: 'ACTIVATED' };
  const attempt = countedAttempts(job);
  if (!error.retryable || !retry.retryOn.includes(error.family) || attempt >= retry.maxAttempts)
    return { to: 'FAILED' };
  const seconds = backoffSeconds(retry, attempt);
  if (seconds <= 0) return { to: 'ACTIVATED' };
  return { to: 'PENDING', notBefore: new Date(now.getTime() + Math.round(seconds * 1000)) };
}

/** Returns true if the failure does not count as an attempt. */
export function costsNoAttempt(job: FailedJob, error: DecidingError): boolean {
  if (isPlannedEnd(error)) return true;
  const isFree = isUncounted(error) || job.attempts?.at(-1)?.uncounted !== undefined;
  return isFree && uncountedOf(job) < mostUncountedAttempts;
}

/** Number of attempts that count. */
export function countedAttempts(job: FailedJob): number {
  const { attempt, plannedEnds = 0 } = job;
  return attempt - plannedEnds - Math.min(uncountedOf(job), mostUncountedAttempts);
}

/** Earlier attempts that do not count; the listed ones of a job that an earlier version wrote. */
function uncountedOf({ uncountedEnds, attempts = [] }: FailedJob): number {
  if (uncountedEnds !== undefined) return uncountedEnds;
  return attempts.filter(
    ({ error, uncounted }) =>
      error && !isPlannedEnd(error) && (uncounted !== undefined || isUncounted(error)),
  ).length;
}

/**
 * Delay after the given attempt, in seconds: `backoffSeconds` after the first, then multiplied by
 * `backoffFactor` each time.
 */
export function backoffSeconds(
  { backoffSeconds: first, backoffFactor }: StoredRetryPolicy,
  attempt: number,
): number {
  return Math.min(first * backoffFactor ** (Math.max(attempt, 1) - 1), longestBackoffSeconds);
}
