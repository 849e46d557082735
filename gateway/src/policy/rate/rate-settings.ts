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
  'guesses',
  'documents',
] as const;

/** One of {@link rateNames}. */
export type RateName = (typeof rateNames)[number];

/**
 * Callers with rates of their own: principals by kind, tokens of a whole queue, and addresses before
 * authentication.
 */
export const ratedCallers = ['human', 'service', 'agent', 'pilot', 'queue', 'address'] as const;

/** One of {@link ratedCallers}. */
export type RatedCaller = (typeof ratedCallers)[number];

/** Rates of one kind of caller; a quantity without a rate is not limited. */
export type CallerRates = Readonly<Partial<Record<RateName, Rate>>>;

/** Rates of all kinds of callers. */
export type RateSettings = Readonly<Record<RatedCaller, CallerRates>>;

const mebibyte = 1024 * 1024;
const rate = (perSecond: number, burst: number): Rate => ({ perSecond, burst });

/**
 * Default rates. Those of a pilot are many times what a large worker needs, because a lost report costs an
 * attempt: they bound a stolen credential. The token of a queue has none, since any number of pilots use it.
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
  pilot: {
    operations: rate(200, 4_000),
    cost: rate(1_000_000, 30_000_000),
    mutations: rate(200, 4_000),
    bytes: rate(32 * mebibyte, 1024 * mebibyte),
    streams: rate(10, 200),
    sockets: rate(5, 100),
    documents: rate(0.2, 100),
  },
  queue: {},
  address: { operations: rate(20, 400), sockets: rate(500, 20_000), guesses: rate(5 / 60, 5) },
};

/** The defaults with some rates replaced. */
export function ratesOf(given: Partial<Record<RatedCaller, CallerRates>> = {}): RateSettings {
  return Object.fromEntries(
    ratedCallers.map((caller) => [caller, { ...defaultRates[caller], ...given[caller] }]),
  ) as unknown as RateSettings;
}
