import { describe, expect, test } from '@jest/globals';
import { leftovers } from './leftovers.js';

describe('leftovers', () => {
  test('are closed newest first, in whatever way they close', async () => {
    const closed: string[] = [];
    leftovers.use({ close: () => closed.push('close') });
    leftovers.use({ stop: async () => closed.push('stop') });
    leftovers.use({ dispose: () => closed.push('dispose') });
    leftovers.use({ [Symbol.asyncDispose]: async () => closed.push('asyncDispose') });
    leftovers.defer('a function', () => closed.push('function'));
    await leftovers.disposeAll();
    expect(closed).toEqual(['function', 'asyncDispose', 'dispose', 'stop', 'close']);
    await leftovers.disposeAll();
    expect(closed).toHaveLength(5);
  });

  test('that cannot be closed are named, after the others are closed', async () => {
    const closed: string[] = [];
    leftovers.defer('the first', () => closed.push('first'));
    leftovers.defer('the door', () => {
      throw new Error('it is stuck');
    });
    await expect(leftovers.disposeAll()).rejects.toThrow('the door: it is stuck');
    expect(closed).toEqual(['first']);
  });
});
