import { describe, expect, it } from '@jest/globals';
import { GraphQLError } from 'graphql';
import { DocumentCache } from './document-cache.js';

const field = (text: string): unknown => {
  const parsed = new DocumentCache(10).parse(text);
  return parsed instanceof GraphQLError
    ? [parsed.extensions['code'], parsed.extensions['field']]
    : 'accepted';
};
const nested = (levels: number): string => `${'{ a '.repeat(levels)}${'}'.repeat(levels)}`;
const bomb = Array.from(
  { length: 20 },
  (_, at) => `fragment F${at} on Q { ...F${at + 1} ...F${at + 1} }`,
).join(' ');

describe('bounds of a document', () => {
  it.each<[string, string, unknown]>([
    ['a plain one', '{ a b: c { d } }', 'accepted'],
    ['depth at the bound', nested(60), 'accepted'],
    ['too much depth', nested(61), ['OPERATION_TOO_COMPLEX', 'depth']],
    ['too many aliases', `{ a { ${'x: b '.repeat(2001)} } }`, ['OPERATION_TOO_COMPLEX', 'aliases']],
    ['too many root fields', `{ ${'a '.repeat(501)} }`, ['OPERATION_TOO_COMPLEX', 'root fields']],
    ['too many tokens', `{ a { ${'b '.repeat(60_000)} } }`, ['OPERATION_TOO_COMPLEX', 'tokens']],
    [
      'fragments that double',
      `{ ...F0 } ${bomb} fragment F20 on Q { a }`,
      ['OPERATION_TOO_COMPLEX', 'fields'],
    ],
    ['fragments in a circle', '{ ...A } fragment A on Q { ...A }', 'accepted'],
  ])('checks %s', (_what, text, expected) => expect(field(text)).toEqual(expected));
});
