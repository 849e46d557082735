import { describe, expect, it } from '@jest/globals';
import { KeptViews } from './kept-views.js';

describe('KeptViews', () => {
  it('reads a view once for each revision, and again after a failure', async () => {
    const views = new KeptViews<readonly number[]>(10);
    const read: number[] = [];
    const viewOf = (revision: number, fails = false): Promise<readonly number[]> =>
      views.of({ _id: 'workflow_1', revision }, async () => {
        read.push(revision);
        if (fails) throw new Error('not read');
        return [revision];
      });
    expect(await Promise.all([viewOf(1), viewOf(1)])).toEqual([[1], [1]]);
    await expect(viewOf(2, true)).rejects.toThrow('not read');
    expect([await viewOf(2), await viewOf(2)]).toEqual([[2], [2]]);
    expect(read).toEqual([1, 2, 2]);
  });
});
