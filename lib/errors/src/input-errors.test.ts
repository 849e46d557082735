import { describe, expect, it } from '@jest/globals';
import { InputErrors } from './input-errors.js';

/** The messages of one check. */
function messages(check: (errors: InputErrors<'TAKEN'>) => void): readonly string[] {
  const errors = new InputErrors<'TAKEN'>();
  check(errors);
  expect(errors.isEmpty).toBe(errors.all.length === 0);
  return errors.all.map(({ message }) => message);
}

describe('InputErrors', () => {
  it('names the field by its path, the value, and what is valid', () => {
    const errors = new InputErrors<'TAKEN'>();
    errors.add(['jobs', 3, 'name'], 'a', 'free', 'TAKEN');
    errors.report('INVALID_VALUE', [], 'The input is empty.');
    expect(errors.all).toEqual([
      { code: 'TAKEN', path: ['jobs', '3', 'name'], message: 'jobs.3.name: "a" is not valid; must be free' },
      { code: 'INVALID_VALUE', path: [], message: 'The input is empty.' },
    ]);
  });

  it.each<[number | null | undefined, readonly string[]]>([
    [1, []],
    [8, []],
    [null, []],
    [undefined, []],
    [0, ['a: 0 is too small; must be at least 1']],
    [9, ['a: 9 is too large; must be at most 8']],
    [1.5, ['a: 1.5 is not valid; must be a whole number from 1 to 8']],
    [NaN, ['a: null is not valid; must be a whole number from 1 to 8']],
    [Infinity, ['a: null is not valid; must be a whole number from 1 to 8']],
  ])('checks int: %p', (value, expected) => {
    expect(messages((errors) => errors.int(['a'], value, 1, 8))).toEqual(expected);
  });

  it.each<[number | null | undefined, readonly string[]]>([
    [0, []],
    [0.25, []],
    [1, []],
    [null, []],
    [undefined, []],
    [-0.1, ['a: -0.1 is not valid; must be a number from 0 to 1']],
    [1.01, ['a: 1.01 is not valid; must be a number from 0 to 1']],
    [NaN, ['a: null is not valid; must be a number from 0 to 1']],
    [Infinity, ['a: null is not valid; must be a number from 0 to 1']],
  ])('checks number: %p', (value, expected) => {
    expect(messages((errors) => errors.number(['a'], value, { min: 0, max: 1 }))).toEqual(expected);
  });

  it.each<[number, readonly string[]]>([
    [0.001, []],
    [100, []],
    [0, ['a: 0 is not valid; must be a number above 0, at most 100']],
    [100.5, ['a: 100.5 is not valid; must be a number above 0, at most 100']],
  ])('checks number above a bound: %p', (value, expected) => {
    expect(messages((errors) => errors.number(['a'], value, { above: 0, max: 100 }))).toEqual(expected);
  });

  it.each<[string, readonly string[]]>([
    ['ab', []],
    ['a b', []],
    ['😀😀😀😀', []],
    ['', ['a: "" is not valid; must be 1 to 4 characters']],
    ['abcde', ['a: "abcde" is not valid; must be 1 to 4 characters']],
    ['😀😀😀😀😀', ['a: "😀😀😀😀😀" is not valid; must be 1 to 4 characters']],
    ['a\0b', ['a: "a\\u0000b" is not valid; must be a text without control characters']],
    ['a\nb', ['a: "a\\nb" is not valid; must be a text without control characters']],
    ['a\u009bb', ['a: "a\u009bb" is not valid; must be a text without control characters']],
    [' ab', ['a: " ab" is not valid; must be a text without blanks at its ends']],
    ['ab\u00a0', ['a: "ab\u00a0" is not valid; must be a text without blanks at its ends']],
  ])('checks text: %j', (value, expected) => {
    expect(messages((errors) => errors.text(['a'], value, 1, 4))).toEqual(expected);
  });

  it.each<[string, readonly string[]]>([
    [' a\n', []],
    ['😀😀😀😀', []],
    ['', ['a: "" is not valid; must be 2 to 4 characters']],
    ['😀', ['a: "😀" is not valid; must be 2 to 4 characters']],
    ['😀😀😀😀a', ['a: "😀😀😀😀a" is not valid; must be 2 to 4 characters']],
    ['a\0', ['a: "a\\u0000" is not valid; must be a text without NUL characters']],
  ])('checks verbatim: %j', (value, expected) => {
    expect(messages((errors) => errors.verbatim(['a'], value, 2, 4))).toEqual(expected);
  });

  it.each<[string, boolean]>([
    ['sh', true],
    [' a b ', true],
    ['a\nb', false],
    ['\x1b[2J', false],
    ['\x9b2J', false],
    ['\x07', false],
    ['a\u202eb', false],
    ['a\u2066b', false],
    ['\u061c', false],
  ])('accepts %j as a line: %j', (value, isAccepted) => {
    expect(messages((errors) => errors.line(['a'], value, 1, 10))).toHaveLength(isAccepted ? 0 : 1);
    expect(messages((errors) => errors.fileName(['a'], value))).toHaveLength(isAccepted ? 0 : 1);
  });

  it('accepts line breaks and tabs with lines, and no other control characters', () => {
    const check = (value: string) => messages((errors) => errors.lines(['a'], value, 0, 100));
    expect(check('if true; then\n\techo 😀\nfi\n')).toEqual([]);
    expect(check('')).toEqual([]);
    const expected = 'must be a text without control characters other than line breaks and tabs';
    for (const value of ['\0', '\r', '\x1b]52;c;eA==\x07', '\u009d', 'a\u202eb', '\u200f'])
      expect(check(value)).toEqual([expect.stringContaining(expected)]);
  });

  it('accepts subjects as tokens have them', () => {
    const check = (value: string) => messages((errors) => errors.subject(['a'], value));
    for (const value of ['ada@cern.ch', 'experiment:alpha', 'Zoë', 'a b']) expect(check(value)).toEqual([]);
    for (const value of ['', 'a\0', 'a\u202eb', 'a\u200bb', 'a\u2028', '\ud800', 'x'.repeat(256)])
      expect(check(value)).toHaveLength(1);
  });

  it('names the expected form with form', () => {
    expect(messages((errors) => errors.form(['a'], 'x', /^y$/, 'y'))).toEqual([
      'a: "x" is not valid; must be y',
    ]);
    expect(messages((errors) => errors.form(['a'], 'y', /^y$/, 'y'))).toEqual([]);
  });

  it('counts entries with list', () => {
    expect(messages((errors) => errors.list(['a'], [1, 2], 2, 1))).toEqual([]);
    expect(messages((errors) => errors.list(['a'], [1, 2, 3], 2))).toEqual([
      'a: 3 entries are too many; must be at most 2',
    ]);
    expect(messages((errors) => errors.list(['a'], [], 2, 1))).toEqual([
      'a: 0 entries are too few; must be at least 1',
    ]);
  });

  it('names each repetition by its position with distinct', () => {
    expect(messages((errors) => errors.distinct(['a'], ['x', 'y', 'x', 'x'], 3))).toEqual([
      'a: 4 entries are too many; must be at most 3',
      'a.2: "x" occurs twice; must be unique',
      'a.3: "x" occurs twice; must be unique',
    ]);
  });

  it('checks the form and uniqueness of label keys, and label values as text', () => {
    const labels = [
      { key: 'a/b.c_d-e', value: '' },
      { key: 'k', value: '😀'.repeat(255) },
      { key: 'k', value: 'v ' },
      { key: 'no blank', value: 'x\t' },
    ];
    expect(messages((errors) => errors.labels(['labels'], labels, 3))).toEqual([
      'labels: 4 entries are too many; must be at most 3',
      'labels.2: "k" occurs twice; must be unique',
      'labels.2.value: "v " is not valid; must be a text without blanks at its ends',
      'labels.3.key: "no blank" is not valid; must be 1 to 63 letters, digits, `.`, `_`, `-`, `/`',
      'labels.3.value: "x\\t" is not valid; must be a text without control characters',
    ]);
  });
});
