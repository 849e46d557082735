import { describe, expect, test } from '@jest/globals';
import { systemClock, type Clock } from './clock.js';
import { createIds } from './ids.js';

function clockAt(times: number[]): Clock {
  let index = 0;
  return { now: () => new Date(times[Math.min(index++, times.length - 1)] ?? 0), monotonicMs: () => 0 };
}

describe('createIds', () => {
  test('gives prefixed, time-ordered ids that grow within a millisecond and when the clock goes back', () => {
    const ids = createIds(clockAt([1000, 1000, 1000, 900, 1001]));
    const made = Array.from({ length: 5 }, () => ids.next('job'));
    for (const id of made) expect(id).toMatch(/^job_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect([...made].sort()).toEqual(made);
    expect(new Set(made).size).toBe(5);
  });

  test('is a function of clock and chance alone', () => {
    const make = (seed: number): string[] => {
      let state = seed;
      const random = (): number => (state = (state * 16807) % 2147483647) / 2147483647;
      const ids = createIds(clockAt([5, 6]), random);
      return [ids.next('job'), ids.next('task')];
    };
    expect(make(7)).toEqual(make(7));
    expect(make(7)).not.toEqual(make(8));
  });

  test('two sources never meet', () => {
    const [a, b] = [createIds(), createIds()];
    const made = Array.from({ length: 2000 }, (_, i) => (i % 2 ? a : b).next('job'));
    expect(new Set(made).size).toBe(2000);
  });

  test('refuses a prefix that would blur the id', () => {
    expect(() => createIds().next('job_')).toThrow(/prefix/);
  });
});

test('the system clock measures forward', () => {
  const before = systemClock.monotonicMs();
  expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(before);
  expect(systemClock.now()).toBeInstanceOf(Date);
});
