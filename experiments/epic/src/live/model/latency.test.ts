import { describe, expect, it } from '@jest/globals';
import { added, bucketOf, latencyOf, noLatency, quantileOf, sizeOf, stepsOf } from './latency.js';
import { resultsCollection, type FrameDocument, type ResultsDocument } from './live-collections.js';
import { withResults } from './result-sums.js';

const time = (seconds: number): Date => new Date(seconds * 1000);
const frame = (number: number, more: Partial<FrameDocument> = {}): FrameDocument => ({
  ...{ _id: `run/${number}`, schemaVersion: 1, revision: 1, runId: 'run', number, sequence: 1 },
  ...{ location: 'x', bytes: 1, recordedAt: time(0), announcedAt: time(1), fed: { FAST: time(3) }, done: {} },
  ...more,
});
const none: ResultsDocument = {
  ...{ _id: 'run/FAST/0', schemaVersion: resultsCollection.schemaVersion, revision: 1, updatedAt: time(0) },
  ...{ runId: 'run', path: 'FAST', lane: 0, cursor: 'c', completed: 0, seconds: 0, latency: noLatency() },
  ...{ slowest: [], sites: [], failures: [], hasGap: false },
};

describe('a histogram', () => {
  it.each([0.002, 0.05, 1, 17, 3600, 90_000])('gives %d s within 5 %', (seconds) => {
    const found = quantileOf({ [bucketOf(seconds)]: 1 }, 0.5);
    expect(Math.abs(found / seconds - 1)).toBeLessThan(0.05);
  });

  it('has quantiles over all of its values, also after an addition', () => {
    const one = { [bucketOf(1)]: 90 };
    const other = { [bucketOf(10)]: 10 };
    const sum = added([one, other]);
    expect(sizeOf(sum)).toBe(100);
    expect(quantileOf(sum, 0.5)).toBeCloseTo(1, 0);
    expect(quantileOf(sum, 0.95)).toBeGreaterThan(9);
    expect(quantileOf({}, 0.5)).toBe(0);
    expect([bucketOf(0), bucketOf(-1), bucketOf(NaN), bucketOf(1e12)]).toEqual([0, 0, 0, 250]);
  });
});

describe('stepsOf', () => {
  it('divides the way of a slice into steps that add up', () => {
    const steps = stepsOf(frame(1), 'FAST', { completedAt: time(10), seconds: 4 });
    expect(steps).toEqual({ ANNOUNCE: 1, FEED: 2, WAIT: 3, WORK: 4, TOTAL: 10 });
  });

  it('makes no step negative if clocks differ', () => {
    const steps = stepsOf(frame(1, { announcedAt: time(-1) }), 'FULL', { completedAt: time(-2), seconds: 1 });
    expect(Math.min(...Object.values(steps))).toBe(0);
  });
});

describe('withResults', () => {
  const event = (units: readonly { key: string; seconds: number }[], site: string | null = 'POLE') => ({
    ...{ jobId: 'job_1', completedAt: time(10).toISOString(), units },
    site: site === null ? null : { name: site },
  });

  it('counts each slice with its site, its frame and its latency', () => {
    const units = [0, 1].map((slice) => ({ key: `00000001-00${slice}`, seconds: 2 + slice }));
    const { sums, done } = withResults(none, 'FAST', event(units), [frame(1)]);
    expect(sums).toMatchObject({
      ...{ completed: 2, seconds: 5, sites: [{ site: 'POLE', completed: 2, seconds: 5 }] },
      slowest: [
        { frame: 1, slice: 1, seconds: 3, site: 'POLE', jobId: 'job_1' },
        { frame: 1, slice: 0, seconds: 2 },
      ],
    });
    expect([...done]).toEqual([['run/1', 2]]);
    expect(latencyOf([sums])).toMatchObject({ results: 2 });
    expect(none.latency.TOTAL).toEqual({});
  });

  it('does not raise the minimum for sites that are slow', () => {
    const units = Array.from({ length: 20 }, (_, slice) => ({
      ...{ key: `00000001-0${String(slice).padStart(2, '0')}`, seconds: slice < 2 ? 1 : 100 },
    }));
    const { sums } = withResults(none, 'FAST', event(units), [frame(1)]);
    expect(Math.abs((latencyOf([sums])?.minimum ?? 0) - 1)).toBeLessThan(0.06);
  });

  it('counts slices of removed frames without their times, and no units of others', () => {
    const units = [
      { key: '00000001-000', seconds: 1 },
      { key: 'of somebody else', seconds: 1 },
    ];
    const { sums, done } = withResults(none, 'FAST', event(units, null), []);
    expect(sums).toMatchObject({ completed: 1, sites: [{ site: null, completed: 1 }] });
    expect(done.size).toBe(0);
    expect(latencyOf([sums])).toBeNull();
  });

  it('keeps bounded lists', () => {
    let sums = none;
    for (let site = 0; site < 250; site += 1) {
      const units = [{ key: '00000001-000', seconds: site }];
      ({ sums } = withResults(sums, 'FAST', event(units, `site ${site}`), []));
    }
    expect(sums.sites).toHaveLength(200);
    expect(sums.sites.reduce((all, { completed }) => all + completed, 0)).toBe(250);
    expect(sums.slowest.map(({ seconds }) => seconds)).toEqual(
      Array.from({ length: 20 }, (_, at) => 249 - at),
    );
  });
});
