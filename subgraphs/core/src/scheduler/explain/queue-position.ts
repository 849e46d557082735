/** Positions among the ready jobs of a share: exact within the windows, estimated from counts beyond them. */
import type { ReadyJob } from '../scheduler.types.js';
import type { Position } from './pending.types.js';
import type { ReadyKey, ReadyWindow } from '../cache/ready-window.js';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Time in a time-ordered id, in milliseconds; undefined if it has none. */
export function timeOfId(id: string): number | undefined {
  const text = id.slice(id.indexOf('_') + 1, id.indexOf('_') + 11);
  if (text.length < 10) return undefined;
  let time = 0;
  for (const character of text) {
    const digit = alphabet.indexOf(character);
    if (digit < 0) return undefined;
    time = time * 32 + digit;
  }
  return time;
}

/** Position in a share, and among the jobs of one class. */
export interface PositionInShare extends Position {
  /** Number of ready jobs of its own class before it; null if unknown. */
  readonly inClass: number | null;
}

/**
 * Computes the position of a job.
 * @param ready number of ready jobs of the share from the maintained counts; undefined if unknown
 * @param nowMs current time in milliseconds, with which times of ids are compared
 * @param own window of the job's class; undefined if none of its class is ready
 */
export function positionOf(
  windows: Iterable<ReadyWindow>,
  key: ReadyKey,
  ready: number | undefined,
  nowMs: number,
  own?: ReadyWindow,
): PositionInShare {
  let [before, known] = [0, 0];
  /** Windows that end before the job: all their jobs come first, and more that only the store knows. */
  const short: { readonly window: ReadyWindow; readonly part: number }[] = [];
  for (const window of windows) {
    known += window.size;
    const count = window.countBefore(key);
    before += count ?? window.size;
    if (count === undefined) short.push({ window, part: partBefore(window.last, key, nowMs) });
  }
  const ownBefore = own ? own.countBefore(key) : 0;
  if (short.length === 0)
    return { position: before, isPositionEstimated: false, inClass: ownBefore ?? before };
  if (ready === undefined) return { position: null, isPositionEstimated: true, inClass: ownBefore ?? null };
  // Jobs beyond the windows are assumed to be spread evenly over them.
  const beyond = Math.max(0, ready - known) / short.length;
  const of = (part: number): number => Math.round(beyond * part);
  const ownPart = short.find(({ window }) => window === own)?.part ?? 1;
  return {
    position: before + of(short.reduce((sum, { part }) => sum + part, 0)),
    isPositionEstimated: true,
    inClass: ownBefore ?? (own?.size ?? 0) + of(ownPart),
  };
}

/**
 * Part of the jobs beyond a window that comes first: all if the window ends at a higher priority; otherwise
 * the jobs are assumed to have arrived evenly between the last known one and now.
 */
function partBefore(last: ReadyJob | undefined, key: ReadyKey, nowMs: number): number {
  if (!last || last.priority > key.priority) return 1;
  const from = timeOfId(last.id);
  const at = timeOfId(key.id) ?? nowMs;
  if (from === undefined || nowMs <= from) return 1;
  return Math.min(1, Math.max(0, (at - from) / (nowMs - from)));
}
