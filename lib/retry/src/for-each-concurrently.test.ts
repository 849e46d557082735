import { describe, expect, it } from '@jest/globals';
import { forEachConcurrently } from './for-each-concurrently.js';

const items = [1, 2, 3, 4, 5, 6];

describe('forEachConcurrently', () => {
  it('runs the action for each item, at most as many at once as wanted', async () => {
    const done: number[] = [];
    let [running, most] = [0, 0];
    await forEachConcurrently(items, 2, async (item) => {
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      running -= 1;
      done.push(item);
    });
    expect([done, most]).toEqual([items, 2]);
  });

  it('throws the first failure at once, and begins no item after it', async () => {
    const begun: number[] = [];
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const ended = released.then(() => new Promise<void>((resolve) => setImmediate(resolve)));
    const action = async (item: number): Promise<void> => {
      begun.push(item);
      if (item === 1) throw new Error('first');
      await released;
    };
    await expect(forEachConcurrently(items, 2, action)).rejects.toThrow('first');
    release();
    await ended;
    expect(begun).toEqual([1, 2]);
  });
});
