import { describe, expect, it } from '@jest/globals';
import { waitFor } from './wait-for.js';

async function* count(to: number): AsyncGenerator<number> {
  for (let number = 1; number <= to; number += 1) yield number;
}

describe('waitFor', () => {
  it('returns the value of a promise, and throws its error', async () => {
    await expect(waitFor('seven', Promise.resolve(7), { deadlineMs: 100 })).resolves.toBe(7);
    const refused = Promise.reject(new Error('no'));
    await expect(waitFor('a refusal', refused, { deadlineMs: 100 })).rejects.toThrow('no');
  });

  it('returns the first item of a stream that fits, and leaves the rest', async () => {
    const stream = count(5);
    await expect(waitFor('three', stream, { deadlineMs: 100, until: (n) => n === 3 })).resolves.toBe(3);
    expect((await stream.next()).value).toBe(4);
  });

  it('throws if a stream ends before the expected item', async () => {
    await expect(waitFor('nine', count(5), { deadlineMs: 100, until: (n) => n === 9 })).rejects.toThrow(
      /ended before/,
    );
  });

  it('repeats a question until the answer is not empty', async () => {
    let asked = 0;
    const answer = waitFor('the third answer', () => ((asked += 1) >= 3 ? `asked ${asked} times` : null), {
      deadlineMs: 500,
    });
    await expect(answer).resolves.toBe('asked 3 times');
  });

  it('returns a value that comes later than expected', async () => {
    const late = new Promise<string>((resolve) => setTimeout(() => resolve('late'), 60));
    await expect(waitFor('a late value', late, { deadlineMs: 1 })).resolves.toBe('late');
  });

  it('throws with the name of the event when the limit is reached', async () => {
    const never = waitFor('the last event', new Promise<never>(() => undefined), {
      deadlineMs: 30,
      limitMs: 90,
    });
    await expect(never).rejects.toThrow('the last event did not happen within 0.09 s');
  });
});
