/** Where a job stands among the ready jobs of its share: exact as far as the windows reach, and reckoned from counts beyond. */
import type { ReadyJob } from '../scheduler.types.js';
import type { Position } from './pending.types.js';
import type { ReadyKey, ReadyWindow } from '../cache/ready-window.js';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The time in a time-ordered id, in milliseconds, or undefined where it has none. */
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

/** A place in a share, and among the jobs of one class. */
export interface PositionInShare extends Position {
  /** Ready jobs of its own class before it; null where that is not known. */
  readonly inClass: number | null;
}

/**
 * @param ready jobs of the share that are ready, as they are counted; undefined where that is not known
 * @param nowMs the time, in milliseconds, against which times of ids are set
 * @param own the window of the job's class; left out: none of its class is ready
 */
export function positionOf(
  windows: Iterable<ReadyWindow>,
  key: ReadyKey,
  ready: number | undefined,
  nowMs: number,
  own?: ReadyWindow,
): PositionInShare {
  let [before, known] = [0, 0];
  /** Windows that end before the job: all in them come first, and more that only the store knows. */
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
  // What lies beyond is taken to lie behind all of them alike.
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
 * The part of what lies beyond a window that comes first: all of it where the window ends at a higher priority; else jobs are taken to have
 * come evenly from the last one that is known until now.
 */
function partBefore(last: ReadyJob | undefined, key: ReadyKey, nowMs: number): number {
  if (!last || last.priority > key.priority) return 1;
  const from = timeOfId(last.id);
  const at = timeOfId(key.id) ?? nowMs;
  if (from === undefined || nowMs <= from) return 1;
  return Math.min(1, Math.max(0, (at - from) / (nowMs - from)));
}
