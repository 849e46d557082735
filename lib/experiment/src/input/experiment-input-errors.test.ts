import { describe, expect, it } from '@jest/globals';
import { ExperimentInputErrors, workerLabel } from './experiment-input-errors.js';

const found = (look: (check: ExperimentInputErrors) => void) => {
  const check = new ExperimentInputErrors();
  look(check);
  return check.faults.map(({ path, message, code }) => [path.join('.'), message, code]);
};

describe('ExperimentInputErrors', () => {
  it('names the field, the value and what is valid', () => {
    expect(found((check) => check.int(['cores'], 0, 1, 8))).toEqual([
      ['cores', 'cores: 0 is too small; must be at least 1', 'INVALID_VALUE'],
    ]);
  });

  it.each([
    ['a whole number', (check: ExperimentInputErrors) => check.int(['a'], 1.5, 1, 8)],
    ['a text', (check: ExperimentInputErrors) => check.text(['a'], '\u001b[31m', 1, 8)],
    ['a form', (check: ExperimentInputErrors) => check.form(['a'], 'x', /^y$/, 'y')],
    ['a list', (check: ExperimentInputErrors) => check.list(['a'], [1, 2], 1)],
    ['a program', (check: ExperimentInputErrors) => check.program(['a'], '')],
    ['a parameter that core would fill in', (check: ExperimentInputErrors) => check.program(['a'], '{{b}}')],
    [
      'arguments that are too long',
      (check: ExperimentInputErrors) => check.programArguments(['a'], ['x'.repeat(100_001)]),
    ],
    ['a file outside of its folder', (check: ExperimentInputErrors) => check.fileName(['a'], '..')],
  ])('reports %s', (_name, look) => {
    expect(found(look).map(([path]) => path)).toEqual(['a']);
  });

  it('reports the position in a list', () => {
    expect(found((check) => check.distinct(['a'], ['x', 'y', 'x']))[0]?.[0]).toBe('a.2');
    expect(found((check) => check.outputs(['a'], ['x', 'a/b']))[0]?.[0]).toBe('a.1');
    expect(found((check) => check.programArguments(['a'], ['{{n}}', '{{m}}'], ['n']))[0]?.[0]).toBe('a.1');
  });

  it('accepts valid input, and leaves other checks to core', () => {
    expect(
      found((check) => {
        check.usual({ idempotencyKey: 'k', cores: null, memoryMiB: 1, maxAttempts: 20 });
        check.programArguments(['a'], ['{{n}}'], ['n']);
        check.fileName(['b'], 'x.{{n}}', ['n']);
      }),
    ).toEqual([]);
  });
});

describe('labelSelector', () => {
  it('quotes any value as a CEL string', () => {
    expect(workerLabel('k', 'a"b\\c')).toBe('worker.labels["k"] == "a\\"b\\\\c"');
  });
});
