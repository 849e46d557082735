import { describe, expect, it } from '@jest/globals';
import { systemClock, type Clock } from './clock.js';
import { createIds } from './ids.js';

function clockAt(times: number[]): Clock {
  let index = 0;
  return { now: () => new Date(times[Math.min(index++, times.length - 1)] ?? 0), monotonicMs: () => 0 };
}

describe('createIds', () => {
  it('gives prefixed, time-ordered ids that grow within a millisecond and when the clock goes back', () => {
    const ids = createIds(clockAt([1000, 1000, 1000, 900, 1001]));
    const made = Array.from({ length: 5 }, () => ids.next('job'));
    for (const id of made) expect(id).toMatch(/^job_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect([...made].sort()).toEqual(made);
    expect(new Set(made).size).toBe(5);
  });

  it('depends on clock and random source only', () => {
    const make = (seed: number): string[] => {
      let state = seed;
      const random = (): number => (state = (state * 16807) % 2147483647) / 2147483647;
      const ids = createIds(clockAt([5, 6]), random);
      return [ids.next('job'), ids.next('task')];
    };
    expect(make(7)).toEqual(make(7));
    expect(make(7)).not.toEqual(make(8));
  });

  it('gives different ids from two sources', () => {
    const [a, b] = [createIds(), createIds()];
    const made = Array.from({ length: 2000 }, (_, i) => (i % 2 ? a : b).next('job'));
    expect(new Set(made).size).toBe(2000);
  });

  it('rejects a prefix that would make the id ambiguous', () => {
    expect(() => createIds().next('job_')).toThrow(/prefix/);
  });
});

it('increases with the system clock', () => {
  const before = systemClock.monotonicMs();
  expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(before);
  expect(systemClock.now()).toBeInstanceOf(Date);
});
