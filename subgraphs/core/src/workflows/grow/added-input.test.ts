import { describe, expect, it } from '@jest/globals';
import { InputErrors } from '@rhizome/errors';
import type { AddErrorCode } from './add-errors.js';
import { checkAdded, nodesIn } from './added-input.js';

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
