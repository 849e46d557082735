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

/** Longest wait that a server may ask for, in milliseconds. */
const longestAskedMs = 60_000;

/**
 * The wait before a further attempt, in milliseconds. An error that advises to retry `now` waits no longer
 * than after the first failure; a server that is overloaded, or limits the caller, names the shortest wait.
 */
export function waitBefore(
  attempt: number,
  { retry, details = {} }: { readonly retry: Retry; readonly details?: Readonly<Record<string, unknown>> },
  settings: RetrySettings,
): number {
  const waitMs = backoffMs(retry === 'now' ? 1 : attempt, settings);
  const { retryAfterSeconds } = details;
  if (typeof retryAfterSeconds !== 'number' || !(retryAfterSeconds > 0)) return waitMs;
  return waitMs + Math.min(longestAskedMs, retryAfterSeconds * 1000);
}
