import { setTimeout as pause } from 'node:timers/promises';
import { CoreUnavailable } from './core-protocol.js';

/** Bounds of the pauses between tries. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** Pauses that double, each cut to a random part of at least a half, so that many workers do not come at once. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #tries = 0;

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /** The next pause in ms. */
  next(): number {
    const full = Math.min(this.#options.longestMs, this.#options.firstMs * 2 ** this.#tries);
    this.#tries += 1;
    return full * (0.5 + this.#random() / 2);
  }

  /** To be called when something worked: the next pause is the first one again. */
  reset(): void {
    this.#tries = 0;
  }
}

/** Pauses for calls that core did not answer: short at first, for a gateway that restarts. */
export const unavailablePauses: BackoffOptions = { firstMs: 100, longestMs: 5000 };

/**
 * Repeats a call while core cannot be reached, until the signal. Other errors are thrown at once.
 * @throws the signal's reason when it comes first
 */
export async function untilAnswered<T>(
  call: () => Promise<T>,
  signal: AbortSignal,
  onRetry?: (error: CoreUnavailable) => void,
): Promise<T> {
  const backoff = new Backoff(unavailablePauses);
  for (;;) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof CoreUnavailable)) throw error;
      onRetry?.(error);
      await pause(backoff.next(), undefined, { signal }).catch(() => undefined);
    }
  }
}
