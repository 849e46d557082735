/** Histograms of latencies with steps of 10 %, and what is read from them. */
import type { FrameDocument, Histogram, LatencyStep, ResultsDocument } from './live-collections.js';
import { latencySteps } from './live-collections.js';
import type { PathName } from './live-run.types.js';

/** Shortest time that differs from none, in seconds. */
const shortest = 0.001;
const step = 1.1;
/** 0.001 s × 1.1²⁵⁰: more than a year. */
const maxBucket = 250;

/** Bucket of a time in seconds. */
export function bucketOf(seconds: number): number {
  if (!(seconds > shortest)) return 0;
  return Math.min(maxBucket, 1 + Math.floor(Math.log(seconds / shortest) / Math.log(step)));
}

/** Time in the middle of a bucket, in seconds; 0 for the first one. */
function middleOf(bucket: number): number {
  return bucket === 0 ? 0 : shortest * step ** (bucket - 0.5);
}

/** Sum of histograms. */
export function added(histograms: readonly Histogram[]): Histogram {
  const sum: Record<string, number> = {};
  for (const histogram of histograms)
    for (const [bucket, count] of Object.entries(histogram)) sum[bucket] = (sum[bucket] ?? 0) + count;
  return sum;
}

/** Number of values. */
export function sizeOf(histogram: Histogram): number {
  return Object.values(histogram).reduce((sum, count) => sum + count, 0);
}

/** Quantile in seconds, within 5 %; 0 for no values. @param quantile 0 to 1 */
export function quantileOf(histogram: Histogram, quantile: number): number {
  const rank = quantile * sizeOf(histogram);
  let passed = 0;
  const buckets = Object.entries(histogram)
    .map(([bucket, count]) => [Number(bucket), count] as const)
    .sort(([one], [other]) => one - other);
  for (const [bucket, count] of buckets) {
    passed += count;
    if (passed >= rank) return middleOf(bucket);
  }
  return 0;
}

/** Times of a result. */
export interface ResultTimes {
  readonly completedAt: Date;
  readonly seconds: number;
}

/** Seconds of each step of a slice; clocks that differ make none negative. */
export function stepsOf(
  frame: Pick<FrameDocument, 'recordedAt' | 'announcedAt' | 'fed'>,
  path: PathName,
  { completedAt, seconds }: ResultTimes,
): Readonly<Record<LatencyStep, number>> {
  const between = (from: Date, to: Date): number => Math.max(0, (to.getTime() - from.getTime()) / 1000);
  const fed = frame.fed[path] ?? frame.announcedAt;
  return {
    ANNOUNCE: between(frame.recordedAt, frame.announcedAt),
    FEED: between(frame.announcedAt, fed),
    WAIT: Math.max(0, between(fed, completedAt) - seconds),
    WORK: seconds,
    TOTAL: between(frame.recordedAt, completedAt),
  };
}

/** Latency of results; null if there are none. */
export function latencyOf(results: readonly Pick<ResultsDocument, 'latency'>[]) {
  const [total, ...parts] = (['TOTAL', 'ANNOUNCE', 'FEED', 'WAIT', 'WORK'] as const).map((name) => ({
    name,
    histogram: added(results.map(({ latency }) => latency[name])),
  }));
  if (!total || sizeOf(total.histogram) === 0) return null;
  const work = parts.find(({ name }) => name === 'WORK');
  return {
    results: sizeOf(total.histogram),
    p50: quantileOf(total.histogram, 0.5),
    p95: quantileOf(total.histogram, 0.95),
    // Not the median, which slow sites raise; not the least, which one odd slice lowers.
    minimum: work ? quantileOf(work.histogram, 0.05) : 0,
    parts: parts.map(({ name, histogram }) => ({
      step: name as Exclude<LatencyStep, 'TOTAL'>,
      p50: quantileOf(histogram, 0.5),
      p95: quantileOf(histogram, 0.95),
    })),
  };
}

/** Histograms without values. */
export function noLatency(): Record<LatencyStep, Record<string, number>> {
  const empty = latencySteps.map((name) => [name, {}] as const);
  return Object.fromEntries(empty) as Record<LatencyStep, Record<string, number>>;
}
