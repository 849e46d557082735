import { describe, expect, test } from '@jest/globals';
import { inOwnWords, type PlaceRule, usualPlaces } from './core-task.js';

const places: readonly PlaceRule[] = [
  ...usualPlaces,
  ['template.payload', 'program'],
  ['variants.*.payload', ([...rest]) => ['steps', ...rest]],
  ['variants', ([at]) => ['steps', String(Number(at) + 1)]],
];
const told = (...path: string[]) => ({
  path,
  message: `${path.join('.')}: 5 is not valid; must be 3`,
  code: 'INVALID_VALUE',
});

describe('what core refuses', () => {
  test.each([
    [['template', 'requirements', 'cores'], ['cores']],
    [['template', 'share'], ['share']],
    [['template', 'payload', 'command'], ['command']],
    [
      ['template', 'payload', 'image'],
      ['program', 'image'],
    ],
    [
      ['variants', '0', 'name'],
      ['steps', '1'],
    ],
    [
      ['variants', '0', 'payload', 'command'],
      ['steps', 'command'],
    ],
  ])('at %s is told at %s', (core, own) => {
    expect(inOwnWords(told(...core), places)).toEqual({
      path: own,
      message: `${own.join('.')}: 5 is not valid; must be 3`,
      code: 'INVALID_VALUE',
    });
  });

  test('at a place without a rule is told of the whole input', () => {
    expect(inOwnWords(told('experiment'), places)).toEqual({
      path: [],
      message: '5 is not valid; must be 3',
      code: 'INVALID_VALUE',
    });
  });
});
