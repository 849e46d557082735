import { describe, expect, test } from '@jest/globals';
import { waitFor } from './wait-for.js';

async function* count(to: number): AsyncGenerator<number> {
  for (let number = 1; number <= to; number += 1) yield number;
}

describe('waitFor', () => {
  test('hands out what a promise brings, and its refusal', async () => {
    await expect(waitFor('seven', Promise.resolve(7), { deadlineMs: 100 })).resolves.toBe(7);
    await expect(waitFor('a refusal', Promise.reject(new Error('no')), { deadlineMs: 100 })).rejects.toThrow(
      'no',
    );
  });

  test('hands out the first item of a stream that fits, and leaves the rest', async () => {
    const stream = count(5);
    await expect(waitFor('three', stream, { deadlineMs: 100, until: (n) => n === 3 })).resolves.toBe(3);
    expect((await stream.next()).value).toBe(4);
  });

  test('fails when a stream ends before what is waited for', async () => {
    await expect(waitFor('nine', count(5), { deadlineMs: 100, until: (n) => n === 9 })).rejects.toThrow(
      /ended before/,
    );
  });

  test('asks a question until the answer is not empty', async () => {
    let asked = 0;
    const answer = waitFor('the third answer', () => ((asked += 1) >= 3 ? `asked ${asked} times` : null), {
      deadlineMs: 500,
    });
    await expect(answer).resolves.toBe('asked 3 times');
  });

  test('fails by name at three times the deadline, not before', async () => {
    const started = performance.now();
    const never = waitFor('what never comes', new Promise<never>(() => undefined), { deadlineMs: 30 });
    await expect(never).rejects.toThrow(
      'what never comes did not come within three times its deadline of 30 ms',
    );
    expect(performance.now() - started).toBeGreaterThanOrEqual(89);
  });
});
