import { describe, expect, it } from '@jest/globals';
import type { OperationInfo } from '@rhizome/federation';
import { buildSchema, parse } from 'graphql';
import { waitMsOf } from './wait-time.js';

const schema = buildSchema(`
  type Query { next(waitSeconds: Int): String }
  type Mutation { take(input: TakeInput!): String submit(input: SubmitInput!): String }
  input TakeInput { waitSeconds: Int }
  input SubmitInput { command: String }
`);

function waitOf(text: string, variables: Record<string, unknown> = {}): number {
  const document = parse(text);
  const kind = text.startsWith('mutation') ? 'mutation' : 'query';
  const operation = { kind, document, normalisedText: text } as unknown as OperationInfo;
  return waitMsOf(operation, schema, variables);
}

describe('waitMsOf', () => {
  it.each([
    ['an argument', '{ next(waitSeconds: 5) }', {}, 5000],
    ['a field of an input', 'mutation { take(input: { waitSeconds: 7 }) }', {}, 7000],
    ['a variable', 'mutation ($i: TakeInput!) { take(input: $i) }', { i: { waitSeconds: 60 } }, 60_000],
    ['several fields', '{ a: next(waitSeconds: 1) b: next(waitSeconds: 2) }', {}, 3000],
    ['a fragment', 'query { ...F } fragment F on Query { next(waitSeconds: 4) }', {}, 4000],
  ])('reads the time from %s', (_name, text, variables, ms) => {
    expect(waitOf(text, variables)).toBe(ms);
  });

  it.each([
    ['without a time', 'mutation { take(input: {}) }', {}],
    ['with the time 0', 'mutation { take(input: { waitSeconds: 0 }) }', {}],
    [
      'with another field that works at once',
      'mutation { take(input: { waitSeconds: 7 }) submit(input: {}) }',
      {},
    ],
    [
      'with another field that does not wait',
      'mutation { take(input: { waitSeconds: 7 }) b: take(input: {}) }',
      {},
    ],
    ['with introspection', '{ next(waitSeconds: 5) __schema { description } }', {}],
  ])('is 0 for an operation %s', (_name, text, variables) => {
    expect(waitOf(text, variables)).toBe(0);
  });

  it('counts at most five minutes for a field', () => {
    expect(waitOf('{ next(waitSeconds: 100000) }')).toBe(300_000);
  });
});
