/** Longest delay of Node's timers in milliseconds, about 24.8 days; a longer one fires at once. */
export const longestTimerMs = 2 ** 31 - 1;

/** A timer that was started. */
export interface LongTimer {
  /** Ends the timer without its action; does nothing once the action has run. */
  cancel(): void;
}

/**
 * Runs an action once after a delay of any length, such as the walltime of a job of months.
 *
 * @param delayMs at least 0; Infinity never runs the action
 * @param keepsAlive whether the process stays alive for it
 */
export function startLongTimer(action: () => void, delayMs: number, keepsAlive = true): LongTimer {
  const dueMs = performance.now() + delayMs;
  let timer: NodeJS.Timeout;
  const arm = (leftMs: number): void => {
    const isLast = leftMs <= longestTimerMs;
    timer = setTimeout(
      () => (isLast ? action() : arm(Math.max(0, dueMs - performance.now()))),
      Math.min(leftMs, longestTimerMs),
    );
    if (!keepsAlive) timer.unref();
  };
  arm(delayMs);
  return { cancel: () => clearTimeout(timer) };
}
