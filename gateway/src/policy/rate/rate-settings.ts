import type { Rate } from './token-bucket.js';

/** Quantities with a rate. */
export const rateNames = [
  'operations',
  'cost',
  'mutations',
  'submittedJobs',
  'bytes',
  'streams',
  'sockets',
] as const;

/** One of {@link rateNames}. */
export type RateName = (typeof rateNames)[number];

/** Callers with rates of their own: principals by kind, and addresses before authentication. */
export const ratedCallers = ['human', 'service', 'agent', 'pilot', 'address'] as const;

/** One of {@link ratedCallers}. */
export type RatedCaller = (typeof ratedCallers)[number];

/** Rates of one kind of caller; a quantity without a rate is not limited. */
export type CallerRates = Readonly<Partial<Record<RateName, Rate>>>;

/** Rates of all kinds of callers. */
export type RateSettings = Readonly<Record<RatedCaller, CallerRates>>;

const mebibyte = 1024 * 1024;
const rate = (perSecond: number, burst: number): Rate => ({ perSecond, burst });

/**
 * Default rates. Pilots have none: their number of reports follows from the jobs that they run, and a lost
 * report costs an attempt.
 */
export const defaultRates: RateSettings = {
  human: {
    operations: rate(2_000, 20_000),
    cost: rate(2_000_000, 60_000_000),
    mutations: rate(500, 10_000),
    submittedJobs: rate(10_000, 2_000_000),
    bytes: rate(32 * mebibyte, 2048 * mebibyte),
    streams: rate(500, 20_000),
    sockets: rate(200, 10_000),
  },
  service: {
    operations: rate(5_000, 50_000),
    cost: rate(20_000_000, 600_000_000),
    mutations: rate(2_000, 20_000),
    submittedJobs: rate(50_000, 10_000_000),
    bytes: rate(128 * mebibyte, 4096 * mebibyte),
    streams: rate(500, 20_000),
    sockets: rate(200, 10_000),
  },
  agent: {
    operations: rate(20, 400),
    cost: rate(100_000, 6_000_000),
    mutations: rate(5, 100),
    submittedJobs: rate(100, 10_000),
    bytes: rate(mebibyte, 64 * mebibyte),
    streams: rate(5, 200),
    sockets: rate(5, 100),
  },
  pilot: {},
  address: { operations: rate(20, 400), sockets: rate(500, 20_000) },
};

/** The defaults with some rates replaced. */
export function ratesOf(given: Partial<Record<RatedCaller, CallerRates>> = {}): RateSettings {
  return Object.fromEntries(
    ratedCallers.map((caller) => [caller, { ...defaultRates[caller], ...given[caller] }]),
  ) as unknown as RateSettings;
}
