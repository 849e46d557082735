/** Bounds of the waits between attempts. */
export interface BackoffOptions {
  /** Upper bound of the first wait, in milliseconds; doubles with each further attempt. Default 100. */
  readonly initialDelayMs?: number;
  /** Upper bound of every wait, in milliseconds. Default 5,000. */
  readonly maxDelayMs?: number;
  /** Source of the jitter: a number from 0 up to, but not including, 1. Default `Math.random`. */
  readonly random?: () => number;
}

/** Doublings after which only `maxDelayMs` counts; keeps the product finite. */
const maxDoublings = 30;

/**
 * The wait before the next attempt after `failures` failed ones (1 or more), in milliseconds. Jitter takes
 * away up to half of it, so that clients that lost the same server do not return in step.
 */
export function backoffMs(failures: number, options: BackoffOptions = {}): number {
  const { initialDelayMs = 100, maxDelayMs = 5000, random = Math.random } = options;
  const doublings = Math.min(Math.max(failures, 1) - 1, maxDoublings);
  const longest = Math.min(maxDelayMs, initialDelayMs * 2 ** doublings);
  return Math.round(longest * (0.5 + random() / 2));
}

/** Counts failures in a row and gives the wait after each. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions = {}) {
    this.#options = options;
  }

  /** Failures since the last {@link reset}. */
  get failures(): number {
    return this.#failures;
  }

  /** Counts one more failure. @returns the wait before the next attempt, in milliseconds */
  next(): number {
    this.#failures += 1;
    return backoffMs(this.#failures, this.#options);
  }

  /** Call it after a success: the next wait is the first one again. */
  reset(): void {
    this.#failures = 0;
  }
}
