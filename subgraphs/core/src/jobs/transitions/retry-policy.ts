import type { JobDocument, StoredJobError, StoredRetryPolicy } from '../model/job.types.js';

/** Longest wait between two attempts, whatever the factor makes of it: seven days, in seconds. */
export const longestBackoffSeconds = 604_800;

/** What becomes of a job whose attempt failed. */
export type AfterFailure =
  | { readonly to: 'ACTIVATED' }
  | { readonly to: 'PENDING'; readonly notBefore: Date }
  | { readonly to: 'FAILED' };

/**
 * Decides by the job's policy whether a failed attempt is followed by another, at once or after a backoff.
 * @param job the number of the attempt that failed, and the policy @param now when it failed
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

/** The wait after the given attempt, in seconds: the first is `backoffSeconds`, each further one is `backoffFactor` times the one before. */
export function backoffSeconds(
  { backoffSeconds: first, backoffFactor }: StoredRetryPolicy,
  attempt: number,
): number {
  return Math.min(first * backoffFactor ** (Math.max(attempt, 1) - 1), longestBackoffSeconds);
}
