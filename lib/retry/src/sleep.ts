import { setTimeout as delay } from 'node:timers/promises';

/** Options of a sleep. */
export interface SleepOptions {
  /** False: the process may end during the sleep. Default true. */
  readonly ref?: boolean;
}

/** Sleeps. @returns true when the time is over, false as soon as the signal aborts */
export async function sleep(
  ms: number,
  signal?: AbortSignal,
  { ref = true }: SleepOptions = {},
): Promise<boolean> {
  if (signal?.aborted) return false;
  try {
    await delay(ms, undefined, { ref, ...(signal && { signal }) });
    return true;
  } catch {
    // The timer fails for one reason only: the signal.
    return false;
  }
}
