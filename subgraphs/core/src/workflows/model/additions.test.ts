import { describe, expect, it } from '@jest/globals';
import { type StoredAddedCall, withCall } from './additions.js';

const call = (key: string): StoredAddedCall => ({
  ...{ key, digest: key, nodes: 1, bytes: 1, edges: 0, layers: 1, groups: [] },
});
const other = { by: 7, run: 1, attempt: 1, calls: [call('x')] };

describe('withCall', () => {
  it('adds a call to those of its attempt', () => {
    const before = [{ by: 3, run: 1, attempt: 2, calls: [call('a')] }, other];
    expect(withCall(before, { by: 3, run: 1, attempt: 2 }, call('b'))?.additions).toEqual([
      { by: 3, run: 1, attempt: 2, calls: [call('a'), call('b')] },
      other,
    ]);
    expect(withCall(undefined, { by: 7, run: 1, attempt: 1 }, call('x'))?.additions).toEqual([other]);
  });

  it.each([
    [1, 3],
    [2, 1],
  ])('replaces the calls of earlier attempts (run %d, attempt %d)', (run, attempt) => {
    const before = [{ by: 3, run: 1, attempt: 2, calls: [call('a')] }];
    const calls = [call('b')];
    expect(withCall(before, { by: 3, run, attempt }, call('b'))?.additions).toEqual([
      { by: 3, run, attempt, calls },
    ]);
  });

  it.each([
    [1, 2],
    [2, 1],
  ])('refuses a call of an earlier attempt than run %d, attempt %d, which has made some', (run, attempt) => {
    const before = [{ by: 3, run, attempt, calls: [call('a')] }];
    expect(withCall(before, { by: 3, run: 1, attempt: 1 }, call('late'))).toBeUndefined();
  });

  it('keeps calls whose nodes exist', () => {
    const added = { ...call('a'), first: 10 };
    const before = [{ by: 3, run: 1, attempt: 1, calls: [added, call('b')] }];
    expect(withCall(before, { by: 3, run: 2, attempt: 1 }, call('c'))?.addition.calls).toEqual([
      added,
      call('c'),
    ]);
  });
});
