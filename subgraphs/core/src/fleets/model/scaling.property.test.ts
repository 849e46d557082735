import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type FleetLoad, floorOf, lagOf, scale, type ScalingState } from './scaling.js';
import { ceilingOf, type FleetSettings } from './fleet.types.js';

const settings: FleetSettings = {
  ...{ min: 1, max: 50, targetLagSeconds: 10, upCooldownSeconds: 10, downCooldownSeconds: 60 },
  ...{ idleSeconds: 30, drainSeconds: 60, queues: [] },
};
const now = new Date('2030-01-01T00:00:00Z');
const ago = (seconds: number): Date => new Date(now.getTime() - seconds * 1000);
const unloaded: FleetLoad = {
  waiting: 0,
  oldestSeconds: 0,
  arrivalsPerSecond: 0,
  running: 5,
  busy: 5,
  idle: 0,
};
const state = (target: number, seconds = 1000): ScalingState => ({ target, targetAt: ago(seconds) });

const anySettings = fc
  .record({ min: fc.nat(20), more: fc.nat(100), places: fc.option(fc.integer({ min: 1, max: 80 })) })
  .map(({ min, more, places }): FleetSettings => ({
    ...settings,
    min,
    max: Math.max(1, min + more),
    queues: places === null ? [] : [{ queue: 'north', max: places }],
  }));
const anyLoad: fc.Arbitrary<FleetLoad> = fc.record({
  waiting: fc.nat(100_000),
  oldestSeconds: fc.double({ min: 0, max: 10_000, noNaN: true }),
  arrivalsPerSecond: fc.double({ min: 0, max: 1000, noNaN: true }),
  unitsPerJobSecond: fc.option(fc.double({ min: 0.001, max: 100, noNaN: true }), { nil: undefined }),
  running: fc.nat(100),
  busy: fc.nat(100),
  idle: fc.nat(100),
});
const anyState = fc.record({
  target: fc.nat(150),
  targetAt: fc.nat(500).map(ago),
  prewarm: fc.option(
    fc.record({
      jobs: fc.nat(150),
      until: fc.integer({ min: -100, max: 100 }).map(ago),
      by: fc.constant('ada'),
    }),
    { nil: undefined },
  ),
});

describe('scale', () => {
  it('wants neither more than the most jobs nor fewer than the fewest', () => {
    fc.assert(
      fc.property(anySettings, anyState, anyLoad, (of, before, load) => {
        const target = scale(of, before, load, now)?.target ?? before.target;
        expect(target).toBeLessThanOrEqual(ceilingOf(of));
        expect(target).toBeGreaterThanOrEqual(floorOf(of, before.prewarm, now));
      }),
    );
  });

  it('changes nothing because of the lag during the cool-down', () => {
    fc.assert(
      fc.property(anyLoad, fc.integer({ min: 1, max: 50 }), fc.nat(9), (load, target, seconds) => {
        const reason = scale(settings, state(target, seconds), load, now)?.reason;
        expect([undefined, 'IDLE']).toContain(reason);
      }),
    );
  });

  it('comes to rest under a constant load', () => {
    fc.assert(
      fc.property(anyLoad, fc.integer({ min: 1, max: 50 }), (load, first) => {
        let target = first;
        const directions: number[] = [];
        for (let step = 0; step < 60; step += 1) {
          const next = scale(settings, state(target), { ...load, idle: 0 }, now);
          if (!next) break;
          directions.push(Math.sign(next.target - target));
          target = next.target;
        }
        // It may go up step by step, or down, but not both.
        expect(new Set(directions).size).toBeLessThanOrEqual(1);
        expect(directions.length).toBeLessThan(60);
      }),
    );
  });

  it('starts as many jobs as the arrivals and the waiting units need', () => {
    const load = {
      ...unloaded,
      waiting: 100,
      oldestSeconds: 12,
      arrivalsPerSecond: 25,
      unitsPerJobSecond: 1,
    };
    expect(scale(settings, state(5), load, now)).toMatchObject({ target: 35, reason: 'LAG_HIGH' });
  });

  it('doubles the jobs at most while it is not known what they complete, and starts one per waiting unit at most', () => {
    const load = { ...unloaded, waiting: 1000, oldestSeconds: 600 };
    expect(scale(settings, state(5), load, now)?.target).toBe(10);
    expect(scale(settings, state(5), { ...load, waiting: 2 }, now)?.target).toBe(7);
  });

  it('starts no more jobs because of the lag while earlier ones wait to run', () => {
    const load = { ...unloaded, waiting: 1000, oldestSeconds: 600, running: 2, busy: 2 };
    expect(scale(settings, state(5), load, now)).toBeUndefined();
  });

  it('starts no more jobs because of the lag while earlier ones hold no units', () => {
    const load = { ...unloaded, waiting: 1000, oldestSeconds: 600, busy: 1 };
    expect(scale(settings, state(5), load, now)).toBeUndefined();
    const known = { ...load, unitsPerJobSecond: 0.01, busy: 2, idle: 3 };
    expect(scale(settings, state(5), known, now)).toBeUndefined();
    expect(scale(settings, state(5), { ...known, busy: 4, idle: 1, waiting: 10 }, now)?.target).toBe(14);
    // Jobs that hang do not hold back others.
    expect(scale(settings, state(1), { ...load, busy: 0, idle: 1 }, now)?.target).toBe(2);
  });

  it('starts a first job without a minimum', () => {
    const load = { ...unloaded, waiting: 3, oldestSeconds: 11, running: 0, busy: 0 };
    expect(scale({ ...settings, min: 0 }, state(0), load, now)?.target).toBe(1);
  });

  it('keeps the jobs between the two marks', () => {
    const load = { ...unloaded, waiting: 6, oldestSeconds: 6, arrivalsPerSecond: 1, unitsPerJobSecond: 1 };
    expect(scale(settings, state(20), load, now)).toBeUndefined();
    expect(scale(settings, state(20), { ...load, waiting: 4, oldestSeconds: 4 }, now)).toMatchObject({
      target: 2,
      reason: 'LAG_LOW',
    });
  });

  it('releases idle jobs down to the minimum, or to the jobs that are requested until a time', () => {
    const load = { ...unloaded, idle: 5 };
    expect(scale(settings, state(5), load, now)).toMatchObject({ target: 1, reason: 'IDLE' });
    const prewarm = { jobs: 4, until: ago(-60), by: 'ada' };
    expect(scale(settings, { ...state(5), prewarm }, load, now)?.target).toBe(4);
    expect(scale(settings, { ...state(2), prewarm }, load, now)).toMatchObject({
      target: 4,
      reason: 'PREWARMED',
    });
  });
});

describe('lagOf', () => {
  it('is the age of the oldest unit, or the time that the waiting units take if that is longer', () => {
    expect(lagOf({ ...unloaded, waiting: 100, oldestSeconds: 3, unitsPerJobSecond: 2 })).toBe(10);
    expect(lagOf({ ...unloaded, waiting: 100, oldestSeconds: 30, unitsPerJobSecond: 2 })).toBe(30);
    expect(lagOf({ ...unloaded, waiting: 100, oldestSeconds: 3 })).toBe(3);
    expect(lagOf(unloaded)).toBe(0);
  });
});
