import { describe, expect, it } from '@jest/globals';
import { InputErrors } from '@rhizome/errors';
import type { AddErrorCode } from './add-errors.js';
import type { StoredAddedCall } from '../model/additions.js';
import { noNodes } from '../model/node-rules.js';
import { checkAdded, checkAdditions, nodesIn } from './added-input.js';

const adder = { name: 'grow' };
const node = (needed: number | undefined) => ({
  ...{ name: 'b', needed },
  dependsOn: [{ node: 'grow' }, { node: 'a' }, { node: 'x' }],
});

describe('nodesIn', () => {
  it.each([
    [undefined, undefined, ['grow/a', 'x']],
    [3, 2, ['grow/a', 'x']],
    [2, 1, ['grow/a', 'x']],
    [1, undefined, []],
  ])('counts the edge from the adding node as met if %p are needed', (needed, left, parents) => {
    const [, added] = nodesIn(adder, [{ name: 'a' }, node(needed)]);
    expect(added?.needed).toBe(left);
    expect(added?.dependsOn?.map((edge) => edge.node)).toEqual(parents);
  });
});

describe('checkAdded', () => {
  it.each([
    [-3, false],
    [0, false],
    [1, true],
    [3, true],
    [4, false],
  ])('checks that %d edges may be needed', (needed, isPossible) => {
    const errors = new InputErrors<AddErrorCode>();
    checkAdded([node(needed)], adder, [], errors);
    expect(errors.all.map(({ message }) => message)).toEqual(
      isPossible ? [] : [expect.stringContaining('must be 1 to 3')],
    );
  });
});

describe('checkAdditions', () => {
  const call = (change: Partial<StoredAddedCall>): StoredAddedCall => ({
    ...{ key: 'k', digest: 'd', nodes: 1, bytes: 1, edges: 0, layers: 1, groups: [] },
    ...change,
  });
  const groups = ['', 'end'].map((label) => ({ label, isFinal: label === 'end', counts: noNodes }));
  const messages = (given: readonly StoredAddedCall[], pending: StoredAddedCall): readonly string[] => {
    const errors = new InputErrors<AddErrorCode>();
    const others = given.map((one, by) => ({ by: by + 1, run: 1, attempt: 1, calls: [one] }));
    const addition = { by: 0, run: 1, attempt: 1, calls: [pending] };
    const change = { node: adder, addition, additions: [...others, addition] };
    checkAdditions({ nodes: 100, groups }, change, errors);
    return errors.all.map(({ message }) => message);
  };

  it('bounds the edges of all calls together, those of nodes that exist included', () => {
    const before = Array.from({ length: 10 }, (_, at) => call({ edges: 99_999, first: at }));
    expect(messages(before, call({ edges: 10 }))).toEqual([]);
    expect(messages(before, call({ edges: 11 }))).toEqual([
      expect.stringMatching(/1000001 edges.*at most 1000000 edges/),
    ]);
  });

  it('bounds the labels of the workflow, each counted once', () => {
    const labelled = (many: number) =>
      call({ groups: Array.from({ length: many }, (_, at) => ({ label: `l${at}`, nodes: 1 })) });
    expect(messages([labelled(998)], labelled(998))).toEqual([]);
    expect(messages([labelled(998)], labelled(999))).toEqual([
      expect.stringMatching(/1001 labels.*at most 1000 different labels/),
    ]);
  });
});
