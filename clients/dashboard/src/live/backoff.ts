/** Bounds of the waits between tries to open a stream again. */
export interface Backoff {
  /** The first wait is up to so long, each further one up to twice as long. */
  readonly baseMs: number;
  /** No wait is longer. */
  readonly capMs: number;
  /** Numbers in [0, 1) for the jitter. */
  readonly random: () => number;
}

/** The waits that every client of the house keeps. */
export const usualBackoff: Backoff = { baseMs: 100, capMs: 5000, random: Math.random };

/** The wait before a further attempt, from 1 on: half of it for certain, half by chance, so that pages do not come back in step. */
export function waitBefore(attempt: number, { baseMs, capMs, random }: Backoff): number {
  const longest = Math.min(capMs, baseMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(longest * (0.5 + random() / 2));
}
