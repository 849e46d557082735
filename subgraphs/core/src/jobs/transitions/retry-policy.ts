import type { JobDocument, StoredJobError, StoredRetryPolicy } from '../model/job.types.js';

/** Maximum delay between two attempts, in seconds: seven days. */
export const longestBackoffSeconds = 604_800;

/** Next step of a job whose attempt failed. */
export type AfterFailure =
  | { readonly to: 'ACTIVATED' }
  | { readonly to: 'PENDING'; readonly notBefore: Date }
  | { readonly to: 'FAILED' };

/**
 * Codes of attempts that do not count: their worker could not reach core for too long, or never received the
 * job, so that no payload began.
 */
const uncountedCodes: ReadonlySet<string | undefined> = new Set(['CONTACT_LOST', 'GRANT_LOST']);
/** Most attempts of a job that do not count, among those that it lists. */
const mostUncounted = 10;

/** A job with the attempt that has failed. */
export interface FailedJob extends Pick<JobDocument, 'attempt' | 'retry'> {
  /** Its listed attempts. */
  readonly attempts?: readonly { readonly error?: { readonly code?: string } | undefined }[];
}

/**
 * Decides by the retry policy whether another attempt follows, at once or after a backoff. Another attempt
 * always follows one that does not count.
 * @param job number of the failed attempt, the policy, and the attempts before
 * @param now time of the failure
 */
export function decideAfterFailure(
  job: FailedJob,
  error: Pick<StoredJobError, 'family' | 'retryable'> & Partial<Pick<StoredJobError, 'code'>>,
  now: Date,
): AfterFailure {
  const { retry, attempts = [] } = job;
  const uncounted = attempts.filter((one) => uncountedCodes.has(one.error?.code)).length;
  if (uncountedCodes.has(error.code) && uncounted < mostUncounted) return { to: 'ACTIVATED' };
  const attempt = job.attempt - Math.min(uncounted, mostUncounted);
  if (!error.retryable || !retry.retryOn.includes(error.family) || attempt >= retry.maxAttempts)
    return { to: 'FAILED' };
  const seconds = backoffSeconds(retry, attempt);
  if (seconds <= 0) return { to: 'ACTIVATED' };
  return { to: 'PENDING', notBefore: new Date(now.getTime() + Math.round(seconds * 1000)) };
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
