import { describe, expect, it } from '@jest/globals';
import { parse } from 'graphql';
import { isTooDeep } from './depth.js';

const nested = (levels: number): string => `${'{ a '.repeat(levels)}${'}'.repeat(levels)}`;

describe('the depth of a document', () => {
  it('is measured without parsing, in selections, lists and input objects', () => {
    expect([nested(500), nested(501)].map(isTooDeep)).toEqual([false, true]);
    const list = (levels: number) => `{ a(b: ${'['.repeat(levels)}${']'.repeat(levels)}) }`;
    expect([list(498), list(499)].map(isTooDeep)).toEqual([false, true]);
  });

  it('allows parsing at the limit', () => {
    expect(() => parse(nested(500))).not.toThrow();
  });

  it('ignores the contents of strings', () => {
    const braces = '{'.repeat(1000);
    expect(isTooDeep(`{ a(b: "${braces}\\"${braces}") }`)).toBe(false);
    expect(isTooDeep(`{ a(b: """${braces}""") }`)).toBe(false);
    expect(isTooDeep(`{ a(b: "x") ${nested(600)} }`)).toBe(true);
  });
});
