import { describe, expect, test } from '@jest/globals';
import { parse } from 'graphql';
import { isTooDeep } from './depth.js';

const nested = (levels: number): string => `${'{ a '.repeat(levels)}${'}'.repeat(levels)}`;

describe('the depth of a document', () => {
  test('is seen without parsing it, in selections, lists and input objects alike', () => {
    expect([nested(500), nested(501)].map(isTooDeep)).toEqual([false, true]);
    const list = (levels: number) => `{ a(b: ${'['.repeat(levels)}${']'.repeat(levels)}) }`;
    expect([list(498), list(499)].map(isTooDeep)).toEqual([false, true]);
  });

  test('that is allowed can be parsed', () => {
    expect(() => parse(nested(500))).not.toThrow();
  });

  test('is not made by texts, whatever they hold', () => {
    const braces = '{'.repeat(1000);
    expect(isTooDeep(`{ a(b: "${braces}\\"${braces}") }`)).toBe(false);
    expect(isTooDeep(`{ a(b: """${braces}""") }`)).toBe(false);
    expect(isTooDeep(`{ a(b: "x") ${nested(600)} }`)).toBe(true);
  });
});
