import { describe, expect, it } from '@jest/globals';
import { boundsOnce } from './placement.js';

describe('boundsOnce', () => {
  it('reads the limits of each queue once', async () => {
    const read: string[] = [];
    const queues = boundsOnce({
      boundsOf: async (name) => {
        read.push(name);
        return { maxCores: read.length };
      },
    });
    const names = ['a', 'b', 'a', 'b', 'a'];
    const bounds = await Promise.all(names.map((name) => queues.boundsOf(name)));
    expect(bounds.map((found) => found?.maxCores)).toEqual([1, 2, 1, 2, 1]);
    expect(read).toEqual(['a', 'b']);
  });
});
