/** Where a job stands among the ready jobs of its share: exact as far as the windows reach, and reckoned from counts beyond. */
import type { Position } from './pending.types.js';
import { compareKeys, type ReadyKey, type ReadyWindow } from './ready-window.js';

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

/**
 * @param ready jobs of the share that are ready, as they are counted; undefined where that is not known
 * @param nowMs the time, in milliseconds, against which times of ids are set
 */
export function positionOf(
  windows: Iterable<ReadyWindow>,
  key: ReadyKey,
  ready: number | undefined,
  nowMs: number,
): Position {
  let [before, known, last] = [0, 0, undefined as string | undefined];
  let isExact = true;
  for (const window of windows) {
    known += window.size;
    const count = window.countBefore(key);
    if (count !== undefined) {
      before += count;
      continue;
    }
    // The window ends before the job: all in it come first, and more that only the store knows.
    isExact = false;
    before += window.size;
    const edge = window.last;
    if (edge && (last === undefined || edge.id > last) && compareKeys(edge, key) < 0) last = edge.id;
  }
  if (isExact) return { position: before, positionIsEstimate: false };
  if (ready === undefined) return { position: null, positionIsEstimate: true };
  const beyond = Math.max(0, ready - known);
  return {
    position: before + Math.round(beyond * partBefore(last, key.id, nowMs)),
    positionIsEstimate: true,
  };
}

/** Jobs beyond are taken to have come evenly from the last one that is known until now. */
function partBefore(last: string | undefined, id: string, nowMs: number): number {
  const from = last === undefined ? undefined : timeOfId(last);
  const at = timeOfId(id) ?? nowMs;
  if (from === undefined || nowMs <= from) return 1;
  return Math.min(1, Math.max(0, (at - from) / (nowMs - from)));
}
