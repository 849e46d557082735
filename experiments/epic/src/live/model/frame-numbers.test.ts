import { describe, expect, it } from '@jest/globals';
import {
  frameId,
  missingFrames,
  rateOf,
  sliceKey,
  sliceOfKey,
  slicesOf,
  withFrames,
} from './frame-numbers.js';
import { type FrameCounts, maxGaps } from './live-run.document.js';

const none: FrameCounts = { announced: 0, bytes: 0, gaps: [] };
const now = new Date(0);
const after = (...batches: readonly (readonly number[])[]): FrameCounts =>
  batches.reduce<FrameCounts>(
    (counts, numbers) =>
      withFrames(
        counts,
        numbers.map((number) => ({ number, bytes: 2 })),
        now,
      ),
    none,
  );

describe('withFrames', () => {
  it.each<[readonly (readonly number[])[], FrameCounts['gaps'], number]>([
    [[[0, 1, 2]], [], 0],
    [[[0], [5]], [[1, 4]], 4],
    [
      [[5, 0, 3]],
      [
        [1, 2],
        [4, 4],
      ],
      3,
    ],
    [
      [[0], [5], [3]],
      [
        [1, 2],
        [4, 4],
      ],
      3,
    ],
    [[[0], [5], [1, 2, 3, 4]], [], 0],
    [[[7], [4]], [[5, 6]], 2],
    [[[7], [6]], [], 0],
  ])('lists, after %j, the gaps %j', (batches, gaps, missing) => {
    const counts = after(...batches);
    expect(counts.gaps).toEqual(gaps);
    expect(missingFrames(counts)).toBe(missing);
    expect(counts.bytes).toBe(2 * batches.flat().length);
  });

  it('counts at most as many bytes as a number can be exact', () => {
    const bytes = Number.MAX_SAFE_INTEGER;
    expect(
      withFrames(
        none,
        [1, 2].map((number) => ({ number, bytes })),
        now,
      ).bytes,
    ).toBe(bytes);
  });

  it('joins the earliest intervals above the limit, and counts on', () => {
    const all = Array.from({ length: maxGaps + 10 }, (_, index) => 2 * index);
    const counts = after(all);
    expect(counts.gaps).toHaveLength(maxGaps);
    expect(counts.gaps[0]).toEqual([1, 19]);
    expect(counts.gaps.at(-1)).toEqual([2 * maxGaps + 17, 2 * maxGaps + 17]);
    expect(missingFrames(counts)).toBe(maxGaps + 9);
  });
});

describe('rateOf', () => {
  it('is the rate between the first and the last time', () => {
    const times = [1.2, 0, 0.6].map((seconds) => new Date(seconds * 1000));
    expect(rateOf(times)).toBeCloseTo(1 / 0.6);
    expect(rateOf(times.slice(0, 1))).toBeNull();
    expect(rateOf([])).toBeNull();
  });
});

describe('slicesOf', () => {
  it('cuts a frame into units whose keys depend on the frame alone', () => {
    const run = { runNumber: 4711, slicesPerFrame: 3 };
    const frame = { number: 12, location: '/stf/12', bytes: 10 };
    const slices = slicesOf(run, 'FAST', frame);
    expect(slices.map(({ key, size, priority }) => [key, size, priority])).toEqual([
      ['00000012-000', 4, 6],
      ['00000012-001', 4, 6],
      ['00000012-002', 4, 6],
    ]);
    expect(JSON.parse(slices[1]?.payload ?? '')).toEqual({
      ...{ run: 4711, frame: 12, slice: 1, slices: 3, location: '/stf/12' },
    });
    expect(slicesOf(run, 'FULL', frame).map(({ key }) => key)).toEqual(slices.map(({ key }) => key));
  });

  it('finds the slice of a key', () => {
    expect(sliceOfKey(sliceKey(10_000_000, 199))).toEqual({ frame: 10_000_000, slice: 199 });
    expect(sliceOfKey('another')).toBeUndefined();
    expect(frameId('run', 7) < frameId('run', 10)).toBe(true);
  });
});
