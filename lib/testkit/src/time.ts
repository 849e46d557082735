import { type Clock, createIds, type Ids } from '@rhizome/clock';

/** A clock whose time changes only when it is advanced. */
export interface ManualClock extends Clock {
  /** Advances the clock by a number of milliseconds. */
  advance(ms: number): void;
  /** Sets the time of day, forwards or backwards; measured time is not touched. */
  set(to: Date | string): void;
}

/** Where manual clocks start. */
export const testStart = new Date('2030-01-01T00:00:00.000Z');

/** A clock for tests; starts at the given time, or at {@link testStart}. */
export function manualClock(start: Date | string = testStart): ManualClock {
  let wall = new Date(start).getTime();
  let monotonic = 0;
  return {
    now: () => new Date(wall),
    monotonicMs: () => monotonic,
    advance: (ms) => {
      wall += ms;
      monotonic += ms;
    },
    set: (to) => {
      wall = new Date(to).getTime();
    },
  };
}

/** Ids that are the same in each run: by a clock that stands still and a seeded generator. */
export function testIds(clock: Clock = manualClock(), seed = 1): Ids {
  return createIds(clock, seededRandom(seed));
}

/** Numbers in [0, 1) that look random and are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
