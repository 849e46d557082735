/** Waits between attempts: doubling with jitter, so that many who lost the same thing do not come back at once. */
export interface BackoffOptions {
  /** The first wait in milliseconds; default 100. */
  readonly firstMs?: number;
  /** The longest wait in milliseconds; default 5,000. */
  readonly longestMs?: number;
  /** A number from 0 up to 1; default `Math.random`. */
  readonly random?: () => number;
}

/** The wait before attempt `attempt` (from 0), in milliseconds: between half and all of the doubled time. */
export function backoffMs(attempt: number, options: BackoffOptions = {}): number {
  const { firstMs = 100, longestMs = 5000, random = Math.random } = options;
  const full = Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 20));
  return full * (0.5 + 0.5 * random());
}

/** Resolves after a time, or as soon as the signal aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    signal.addEventListener('abort', done, { once: true });
  });
}
