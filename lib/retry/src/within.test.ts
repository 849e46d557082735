import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { fulfilsWithin } from './within.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('fulfilsWithin', () => {
  it('returns true for a promise that is fulfilled in time, and leaves no timer', async () => {
    let fulfil: () => void = () => undefined;
    const isFulfilled = fulfilsWithin(new Promise<void>((resolve) => (fulfil = resolve)), 1000);
    expect(jest.getTimerCount()).toBe(1);
    fulfil();
    expect(await isFulfilled).toBe(true);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('returns false when the time is over', async () => {
    const isFulfilled = fulfilsWithin(new Promise(() => undefined), 1000);
    jest.advanceTimersByTime(1000);
    expect(await isFulfilled).toBe(false);
  });

  it('rejects as the promise does, and leaves no timer', async () => {
    await expect(fulfilsWithin(Promise.reject(new Error('lost')), 1000)).rejects.toThrow('lost');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('ignores a promise that rejects too late', async () => {
    let fail: (error: Error) => void = () => undefined;
    const isFulfilled = fulfilsWithin(new Promise((_resolve, reject) => (fail = reject)), 1000);
    jest.advanceTimersByTime(1000);
    expect(await isFulfilled).toBe(false);
    fail(new Error('late'));
  });
});
