/** Windows in which a queue is down. Pure. */

/** A time in which a queue runs no jobs. */
export interface DowntimeWindow {
  readonly startsAt: Date;
  readonly endsAt: Date;
  readonly reason: string;
}

/** The window that is under way or comes next; undefined if there is none. @param windows by their start */
export function nextDowntime(windows: readonly DowntimeWindow[], atMs: number): DowntimeWindow | undefined {
  return windows.find(({ endsAt }) => endsAt.getTime() > atMs);
}

/** Seconds until a window begins: 0 within one, Infinity if there is none. @param windows by their start */
export function secondsUntilDowntime(windows: readonly DowntimeWindow[], atMs: number): number {
  const next = nextDowntime(windows, atMs);
  return next ? Math.max(0, (next.startsAt.getTime() - atMs) / 1000) : Infinity;
}

/** The window that is under way; undefined if there is none. @param windows by their start */
export function currentDowntime(
  windows: readonly DowntimeWindow[],
  atMs: number,
): DowntimeWindow | undefined {
  const next = nextDowntime(windows, atMs);
  return next && next.startsAt.getTime() <= atMs ? next : undefined;
}

/** The window as part of a sentence. */
export function downtimeText({ startsAt, endsAt, reason }: DowntimeWindow): string {
  return `down from ${startsAt.toISOString()} to ${endsAt.toISOString()}: ${reason}`;
}
