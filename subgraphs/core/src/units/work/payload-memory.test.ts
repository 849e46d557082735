import { describe, expect, it } from '@jest/globals';
import { PayloadMemory } from './payload-memory.js';

describe('PayloadMemory', () => {
  /** A memory over blocks of one payload each; `reads` has the blocks that were read. */
  function memoryOf(payload: string): { readonly memory: PayloadMemory; readonly reads: string[] } {
    const reads: string[] = [];
    const memory = new PayloadMemory((blockIds) => {
      reads.push(...blockIds);
      return Promise.resolve(blockIds.map((_id) => ({ _id, schemaVersion: 1, payloads: [{ payload }] })));
    });
    return { memory, reads };
  }
  const unitOf = (blockId: string) => ({ blockId, position: 0 });

  it('reads a block once for calls at the same time', async () => {
    const { memory, reads } = memoryOf('x');
    const calls = [[unitOf('a')], [unitOf('a'), unitOf('b')], [unitOf('b')]];
    const answers = await Promise.all(calls.map((units) => memory.of(units)));
    expect(answers).toEqual([[{ payload: 'x' }], [{ payload: 'x' }, { payload: 'x' }], [{ payload: 'x' }]]);
    expect(reads).toEqual(['a', 'b']);
  });

  it('forgets the blocks that were used the longest time ago, by their bytes', async () => {
    // Three of these blocks have more than 32 MiB, but fewer characters.
    const { memory, reads } = memoryOf('€'.repeat(4_000_000));
    for (const id of ['a', 'b', 'a', 'c', 'a', 'b']) await memory.of([unitOf(id)]);
    expect(reads).toEqual(['a', 'b', 'c', 'b']);
  });
});
