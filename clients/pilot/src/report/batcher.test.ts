import { describe, expect, it } from '@jest/globals';
import { Batcher } from './batcher.js';

describe('Batcher', () => {
  it('sends reports together, and answers each for itself', async () => {
    const calls: number[][] = [];
    const batcher = new Batcher<number, number>(async (items) => {
      calls.push([...items]);
      return Promise.resolve(items.map((item) => item * 10));
    });
    expect(await Promise.all([1, 2, 3].map(async (item) => batcher.add(item)))).toEqual([10, 20, 30]);
    expect(calls).toEqual([[1, 2, 3]]);
  });

  it('limits the size of calls', async () => {
    const sizes: number[] = [];
    const batcher = new Batcher<number, number>(
      async (items) => {
        sizes.push(items.length);
        return Promise.resolve([...items]);
      },
      { delayMs: 1, most: 4 },
    );
    await Promise.all(Array.from({ length: 10 }, async (_, item) => batcher.add(item)));
    expect(sizes).toEqual([4, 4, 2]);
  });

  it('fails a call together, and not the next one', async () => {
    let isDown = true;
    const batcher = new Batcher<number, number>(async (items) =>
      isDown ? Promise.reject(new Error('down')) : Promise.resolve([...items]),
    );
    const failed = await Promise.allSettled([batcher.add(1), batcher.add(2)]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    isDown = false;
    expect(await batcher.add(3)).toBe(3);
  });
});
