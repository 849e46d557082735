import { describe, expect, test } from '@jest/globals';
import { InputCheck, workerLabel } from './input-check.js';

const found = (look: (check: InputCheck) => void) => {
  const check = new InputCheck();
  look(check);
  return check.faults.map(({ path, message, code }) => [path.join('.'), message, code]);
};

describe('a check of an input', () => {
  test('names the field, the value and what would be right', () => {
    expect(found((check) => check.int(['cores'], 0, 1, 8))).toEqual([
      ['cores', 'cores: 0 is not valid; expected a whole number from 1 to 8', 'INVALID_VALUE'],
    ]);
  });

  test.each([
    ['a whole number', (check: InputCheck) => check.int(['a'], 1.5, 1, 8)],
    ['a text', (check: InputCheck) => check.text(['a'], '\u001b[31m', 1, 8)],
    ['a form', (check: InputCheck) => check.form(['a'], 'x', /^y$/, 'y')],
    ['a list', (check: InputCheck) => check.list(['a'], [1, 2], 0, 1)],
    ['a program', (check: InputCheck) => check.program(['a'], '')],
    ['a parameter that core would fill in', (check: InputCheck) => check.program(['a'], '{{b}}')],
    [
      'arguments that are too long',
      (check: InputCheck) => check.programArguments(['a'], ['x'.repeat(100_001)]),
    ],
    ['a file outside of its folder', (check: InputCheck) => check.fileName(['a'], '..')],
  ])('finds what is wrong with %s', (_name, look) => {
    expect(found(look).map(([path]) => path)).toEqual(['a']);
  });

  test('finds the place in a list', () => {
    expect(found((check) => check.distinct(['a'], ['x', 'y', 'x']))[0]?.[0]).toBe('a.2');
    expect(found((check) => check.outputs(['a'], ['x', 'a/b']))[0]?.[0]).toBe('a.1');
    expect(found((check) => check.programArguments(['a'], ['{{n}}', '{{m}}'], ['n']))[0]?.[0]).toBe('a.1');
  });

  test('lets pass what is right, and what is left to core', () => {
    expect(
      found((check) => {
        check.usual({ idempotencyKey: 'k', cores: null, memoryMiB: 1, maxAttempts: 20 });
        check.programArguments(['a'], ['{{n}}'], ['n']);
        check.fileName(['b'], 'x.{{n}}', ['n']);
      }),
    ).toEqual([]);
  });
});

describe('a selector of a label', () => {
  test('holds any value as a text of CEL', () => {
    expect(workerLabel('k', 'a"b\\c')).toBe('worker.labels["k"] == "a\\"b\\\\c"');
  });
});
