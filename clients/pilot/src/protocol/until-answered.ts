import { Backoff, type BackoffOptions, sleep } from '@rhizome/retry';
import { CoreUnavailable } from './core-protocol.js';

/** Delays between calls that core did not answer: short at first, for a gateway that restarts. */
export const unavailableBackoff: BackoffOptions = { initialDelayMs: 100, maxDelayMs: 5000 };

/**
 * Repeats a call while core cannot be reached, until the signal. Other errors are thrown at once.
 * @throws the signal's reason if it comes first
 */
export async function untilAnswered<T>(
  call: () => Promise<T>,
  signal: AbortSignal,
  onRetry?: (error: CoreUnavailable) => void,
): Promise<T> {
  const backoff = new Backoff(unavailableBackoff);
  for (;;) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof CoreUnavailable)) throw error;
      onRetry?.(error);
      await sleep(backoff.next(), signal);
    }
  }
}
