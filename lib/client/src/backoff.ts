import { setTimeout as delay } from 'node:timers/promises';
import type { Retry } from '@rhizome/errors';

/** How often, and how slowly, a failed request is sent again. */
export interface RetryOptions {
  /** Attempts after the first; default 6 for requests, no limit for streams. */
  readonly attempts?: number;
  /** The first wait is up to so long, each further one up to twice as long; default 100. */
  readonly baseMs?: number;
  /** No wait is longer; default 5,000. */
  readonly capMs?: number;
  /** Numbers in [0, 1) for the jitter; default Math.random. */
  readonly random?: () => number;
}

/** The options with all defaults. */
export type Backoff = Required<RetryOptions>;

/** Fills the defaults in. */
export function backoffOf(options: RetryOptions | undefined, attempts: number): Backoff {
  return { attempts, baseMs: 100, capMs: 5000, random: Math.random, ...options };
}

/**
 * The wait before a further attempt, in milliseconds: half of it for certain, half by chance, so that clients of one
 * server that went away do not come back in step. `now` waits no longer than the first time.
 */
export function waitBefore(attempt: number, retry: Retry, { baseMs, capMs, random }: Backoff): number {
  const exponent = retry === 'now' ? 0 : Math.min(attempt - 1, 30);
  const longest = Math.min(capMs, baseMs * 2 ** exponent);
  return Math.round(longest * (0.5 + random() / 2));
}

/** Sleeps; false as soon as the signal aborts. */
export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await delay(ms, undefined, signal ? { signal } : {});
    return true;
  } catch {
    return false;
  }
}
