/** Rules of frames: identifiers, missing numbers, rate, and the slices that they are cut into. */
import type { FrameDocument } from './live-collections.js';
import { type FrameCounts, maxGaps } from './live-run.document.js';
import type { PathName } from './live-run.types.js';

/** Largest number of a frame. */
export const maxFrameNumber = 10_000_000;

/** Identifier of a frame; they sort by number. */
export function frameId(runId: string, number: number): string {
  return `${runId}/${String(number).padStart(8, '0')}`;
}

/** An interval of numbers, first and last. */
type Interval = readonly [number, number];

/**
 * Counts new frames. If the intervals of missing frames become more than can be listed, the earliest ones are
 * joined, with the announced frames between them.
 */
export function withFrames(
  counts: FrameCounts,
  frames: readonly { readonly number: number; readonly bytes: number }[],
  now: Date,
): FrameCounts {
  if (frames.length === 0) return counts;
  let { lowest, highest, gaps } = counts;
  for (const { number } of [...frames].sort((one, other) => one.number - other.number)) {
    if (lowest === undefined || highest === undefined) [lowest, highest] = [number, number];
    else if (number > highest) {
      if (number > highest + 1) gaps = [...gaps, [highest + 1, number - 1]];
      highest = number;
    } else if (number < lowest) {
      if (number < lowest - 1) gaps = [[number + 1, lowest - 1], ...gaps];
      lowest = number;
    } else gaps = without(gaps, number);
  }
  return {
    announced: counts.announced + frames.length,
    // A larger number could not be read.
    bytes: frames.reduce((sum, { bytes }) => Math.min(Number.MAX_SAFE_INTEGER, sum + bytes), counts.bytes),
    ...(lowest === undefined ? {} : { lowest }),
    ...(highest === undefined ? {} : { highest }),
    gaps: bounded(gaps),
    lastAnnouncedAt: now,
  };
}

function without(gaps: readonly Interval[], number: number): readonly Interval[] {
  return gaps.flatMap(([first, last]): Interval[] => {
    if (number < first || number > last) return [[first, last]];
    const parts: Interval[] = [
      [first, number - 1],
      [number + 1, last],
    ];
    return parts.filter(([from, to]) => from <= to);
  });
}

function bounded(gaps: readonly Interval[]): readonly Interval[] {
  if (gaps.length <= maxGaps) return gaps;
  const surplus = gaps.length - maxGaps;
  const [first] = gaps;
  const end = gaps[surplus];
  return first && end ? [[first[0], end[1]], ...gaps.slice(surplus + 1)] : gaps;
}

/** Number of missing frames: exact also if intervals were joined. */
export function missingFrames({ lowest, highest, announced }: FrameCounts): number {
  return lowest === undefined || highest === undefined ? 0 : highest - lowest + 1 - announced;
}

/** Frames for each second by their times of recording; null with fewer than two times. */
export function rateOf(recordedAt: readonly Date[]): number | null {
  const times = recordedAt.map((time) => time.getTime()).sort((one, other) => one - other);
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined || last === first) return null;
  return ((times.length - 1) * 1000) / (last - first);
}

/** A unit of core for a slice. */
export interface SliceUnit {
  readonly key: string;
  readonly payload: string;
  readonly size: number;
  readonly priority: number;
}

const priorities: Readonly<Record<PathName, number>> = { FAST: 6, FULL: 4 };

/**
 * The slices of a frame as units of core. Their keys follow from the frame, so that a repeated publication
 * publishes nothing twice.
 */
export function slicesOf(
  { runNumber, slicesPerFrame }: { readonly runNumber: number; readonly slicesPerFrame: number },
  path: PathName,
  { number, location, bytes }: Pick<FrameDocument, 'number' | 'location' | 'bytes'>,
): readonly SliceUnit[] {
  return Array.from({ length: slicesPerFrame }, (_, slice) => ({
    key: sliceKey(number, slice),
    payload: JSON.stringify({ run: runNumber, frame: number, slice, slices: slicesPerFrame, location }),
    size: Math.min(2_147_483_647, Math.ceil(bytes / slicesPerFrame)),
    priority: priorities[path],
  }));
}

/** Key of a slice. */
export function sliceKey(frame: number, slice: number): string {
  return `${String(frame).padStart(8, '0')}-${String(slice).padStart(3, '0')}`;
}

/** Frame and slice of a key; undefined for a key of another form. */
export function sliceOfKey(key: string): { readonly frame: number; readonly slice: number } | undefined {
  const [, frame, slice] = /^(\d{8})-(\d{3})$/.exec(key) ?? [];
  return frame === undefined || slice === undefined
    ? undefined
    : { frame: Number(frame), slice: Number(slice) };
}
