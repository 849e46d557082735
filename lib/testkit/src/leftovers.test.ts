import { describe, expect, it } from '@jest/globals';
import { leftovers } from './leftovers.js';

describe('Leftovers', () => {
  it('closes the newest first, by any method', async () => {
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

  it('names what it cannot close, after it has closed the others', async () => {
    const closed: string[] = [];
    leftovers.defer('the first', () => closed.push('first'));
    leftovers.defer('the server', () => {
      throw new Error('it is stuck');
    });
    await expect(leftovers.disposeAll()).rejects.toThrow('the server: it is stuck');
    expect(closed).toEqual(['first']);
  });
});
