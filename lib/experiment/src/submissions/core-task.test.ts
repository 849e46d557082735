import { describe, expect, it } from '@jest/globals';
import { inOwnTerms, type PathRule, commonPathRules } from './core-task.js';

const pathRules: readonly PathRule[] = [
  ...commonPathRules,
  ['template.payload', 'program'],
  ['variants.*.payload', ([...rest]) => ['steps', ...rest]],
  ['variants', ([at]) => ['steps', String(Number(at) + 1)]],
];
const coreError = (...path: string[]) => ({
  path,
  message: `${path.join('.')}: 5 is not valid; must be 3`,
  code: 'INVALID_VALUE',
});

describe('inOwnTerms', () => {
  it.each([
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
  ])('maps an error at %s to %s', (core, own) => {
    expect(inOwnTerms(coreError(...core), pathRules)).toEqual({
      path: own,
      message: `${own.join('.')}: 5 is not valid; must be 3`,
      code: 'INVALID_VALUE',
    });
  });

  it('maps a path without a rule to the whole input', () => {
    expect(inOwnTerms(coreError('experiment'), pathRules)).toEqual({
      path: [],
      message: '5 is not valid; must be 3',
      code: 'INVALID_VALUE',
    });
  });
});
