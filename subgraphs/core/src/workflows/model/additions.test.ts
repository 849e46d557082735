import { describe, expect, it } from '@jest/globals';
import { type StoredAddedCall, withCall } from './additions.js';
import { groupOutcome, grownEdges, noNodes } from './node-rules.js';
import type { StoredGroupEdge } from './workflow.types.js';

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

describe('grownEdges', () => {
  const edge: StoredGroupEdge = { from: 'fit', to: 'merge', condition: 'SUCCEEDED', needed: 2 };
  const fits = (SUCCEEDED: number, WAITING: number) => [
    { label: 'fit', isFinal: false, counts: { ...noNodes, SUCCEEDED, WAITING } },
  ];

  it('lets an edge that was met wait for the added nodes, too, if its nodes begin again', () => {
    const [grown] = grownEdges([{ ...edge, outcome: 'MET' }], fits(2, 0), fits(2, 1));
    expect(grown).toEqual({ ...edge, needed: 3, outcome: 'MET' });
    const { outcome: _before, ...open } = grown as StoredGroupEdge;
    expect(groupOutcome(open, fits(2, 1))).toBeUndefined();
  });

  it('leaves an edge that needs fewer than all nodes as it is', () => {
    const few = { ...edge, needed: 1 };
    expect(grownEdges([few], fits(0, 2), fits(0, 3))).toEqual([few]);
  });
});
