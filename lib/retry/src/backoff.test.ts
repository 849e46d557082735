import { describe, expect, it } from '@jest/globals';
import { Backoff, backoffMs } from './backoff.js';

const bounds = { initialDelayMs: 100, maxDelayMs: 1000 };

describe('backoffMs', () => {
  it('doubles with each failure up to the maximum', () => {
    const waits = [1, 2, 3, 4, 5, 99].map((failures) => backoffMs(failures, { ...bounds, random: () => 1 }));
    expect(waits).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it('subtracts at most half of the wait', () => {
    const waits = [1, 2, 3, 4, 5, 99].map((failures) => backoffMs(failures, { ...bounds, random: () => 0 }));
    expect(waits).toEqual([50, 100, 200, 400, 500, 500]);
  });

  it('starts at 100 ms and ends at 5 s by default', () => {
    expect(backoffMs(1, { random: () => 1 })).toBe(100);
    expect(backoffMs(1_000_000, { random: () => 1 })).toBe(5000);
  });

  it('differs from call to call by default', () => {
    const waits = new Set(Array.from({ length: 100 }, () => backoffMs(20)));
    expect(waits.size).toBeGreaterThan(1);
    for (const wait of waits) expect(wait >= 2500 && wait <= 5000).toBe(true);
  });
});

describe('Backoff', () => {
  it('counts failures until it is reset', () => {
    const backoff = new Backoff({ ...bounds, random: () => 1 });
    expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([100, 200, 400]);
    expect(backoff.failures).toBe(3);
    backoff.reset();
    expect(backoff.failures).toBe(0);
    expect(backoff.next()).toBe(100);
  });
});
