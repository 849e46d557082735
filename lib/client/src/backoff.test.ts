import { describe, expect, test } from '@jest/globals';
import { backoffOf, sleep, waitBefore } from './backoff.js';

const certain = (chance: number) => backoffOf({ baseMs: 100, capMs: 1000, random: () => chance }, 5);

describe('the wait before another attempt', () => {
  test('doubles up to its cap, half of it by chance', () => {
    const waits = (chance: number) => [1, 2, 3, 4, 5, 99].map((n) => waitBefore(n, 'later', certain(chance)));
    expect(waits(1)).toEqual([100, 200, 400, 800, 1000, 1000]);
    expect(waits(0)).toEqual([50, 100, 200, 400, 500, 500]);
  });

  test('stays short where trying at once is advised', () => {
    expect([1, 5, 50].map((n) => waitBefore(n, 'now', certain(1)))).toEqual([100, 100, 100]);
  });
});

test('a sleep ends early by its signal, and says so', async () => {
  const controller = new AbortController();
  const slept = sleep(60_000, controller.signal);
  controller.abort();
  expect(await slept).toBe(false);
  expect(await sleep(1, undefined)).toBe(true);
});
