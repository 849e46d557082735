import type { Retry } from '@rhizome/errors';
import { backoffMs, type BackoffOptions } from '@rhizome/retry';

/** Number and delay of retries of a failed request. */
export interface RetryOptions extends BackoffOptions {
  /** Attempts after the first; default 6 for requests, no limit for streams. */
  readonly attempts?: number;
}

/** The options with the default of their use. */
export type RetrySettings = RetryOptions & { readonly attempts: number };

/** Fills the default in. */
export function retrySettings(options: RetryOptions | undefined, attempts: number): RetrySettings {
  return { attempts, ...options };
}

/**
 * The wait before a further attempt, in milliseconds. An error that advises to retry `now` waits no longer
 * than after the first failure.
 */
export function waitBefore(attempt: number, retry: Retry, settings: RetrySettings): number {
  return backoffMs(retry === 'now' ? 1 : attempt, settings);
}
