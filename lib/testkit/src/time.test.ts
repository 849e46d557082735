import { describe, expect, it } from '@jest/globals';
import { manualClock, seededRandom, testIds, testStart } from './time.js';

describe('manual clock', () => {
  it('keeps its time until it is advanced', () => {
    const clock = manualClock();
    expect(clock.now()).toEqual(testStart);
    clock.advance(1500);
    expect(clock.now().getTime() - testStart.getTime()).toBe(1500);
    expect(clock.monotonicMs()).toBe(1500);
  });

  it('increases its monotonic time when the time of day goes back', () => {
    const clock = manualClock();
    clock.advance(10);
    clock.set('2020-01-01T00:00:00Z');
    expect(clock.monotonicMs()).toBe(10);
    expect(clock.now().getUTCFullYear()).toBe(2020);
  });
});

describe('testIds', () => {
  it('returns the same ids in each run, different and increasing within one', () => {
    const [first, second] = [testIds(), testIds()].map((ids) => [1, 2, 3].map(() => ids.next('job')));
    expect(first).toEqual(second);
    expect(new Set(first).size).toBe(3);
    expect([...(first ?? [])].sort()).toEqual(first);
  });

  it('differs by seed', () => {
    expect(testIds(manualClock(), 1).next('job')).not.toBe(testIds(manualClock(), 2).next('job'));
  });
});

it('returns seeded numbers spread over [0, 1)', () => {
  const random = seededRandom(7);
  const numbers = Array.from({ length: 10_000 }, random);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...numbers)).toBeLessThan(1);
  expect(numbers.reduce((sum, number) => sum + number, 0) / numbers.length).toBeCloseTo(0.5, 1);
});
