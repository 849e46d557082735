import type { JobDocument, StoredJobError, StoredRetryPolicy } from '../model/job.types.js';

/** Maximum delay between two attempts, in seconds: seven days. */
export const longestBackoffSeconds = 604_800;

/** Next step of a job whose attempt failed. */
export type AfterFailure =
  | { readonly to: 'ACTIVATED' }
  | { readonly to: 'PENDING'; readonly notBefore: Date }
  | { readonly to: 'FAILED' };

/**
 * Decides by the retry policy whether another attempt follows, at once or after a backoff.
 * @param job number of the failed attempt, and the policy
 * @param now time of the failure
 */
export function decideAfterFailure(
  job: Pick<JobDocument, 'attempt' | 'retry'>,
  error: Pick<StoredJobError, 'family' | 'retryable'>,
  now: Date,
): AfterFailure {
  const { attempt, retry } = job;
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
