import { describe, expect, it } from '@jest/globals';
import type { OperationInfo } from '@rhizome/federation';
import { buildSchema, parse } from 'graphql';
import { waitMsOf } from './wait-time.js';

const schema = buildSchema(`
  type Query { next(waitSeconds: Int): String }
  type Mutation {
    leaseWorkUnits(input: LeaseInput!): String
    acquireJobs(input: AcquireInput!): String
    take(input: LeaseInput!): String
  }
  input LeaseInput { pool: String = "p" waitSeconds: Int }
  input AcquireInput { waitSeconds: Int = 20 }
`);

function waitOf(text: string, variables: Record<string, unknown> = {}): number {
  const document = parse(text);
  const kind = text.startsWith('mutation') ? 'mutation' : 'query';
  const operation = { kind, document, normalisedText: text } as unknown as OperationInfo;
  return waitMsOf(operation, schema, variables);
}

describe('waitMsOf', () => {
  it.each([
    ['a literal', 'mutation { leaseWorkUnits(input: { waitSeconds: 7 }) }', {}, 7000],
    [
      'a variable',
      'mutation ($i: LeaseInput!) { leaseWorkUnits(input: $i) }',
      { i: { waitSeconds: 60 } },
      60_000,
    ],
    [
      'the default of a variable',
      'mutation ($w: Int = 40) { leaseWorkUnits(input: { waitSeconds: $w }) }',
      {},
      40_000,
    ],
    [
      'the default of a variable for the input',
      'mutation ($i: LeaseInput! = { waitSeconds: 9 }) { leaseWorkUnits(input: $i) }',
      {},
      9000,
    ],
    ['the default of the schema', 'mutation { acquireJobs(input: {}) }', {}, 20_000],
    [
      'the default of the schema in a variable',
      'mutation ($i: AcquireInput!) { acquireJobs(input: $i) }',
      { i: {} },
      20_000,
    ],
    [
      'several fields, which run one after another',
      'mutation { a: leaseWorkUnits(input: { waitSeconds: 1 }) b: acquireJobs(input: { waitSeconds: 2 }) }',
      {},
      3000,
    ],
    [
      'a fragment',
      'mutation { ...F } fragment F on Mutation { leaseWorkUnits(input: { waitSeconds: 4 }) }',
      {},
      4000,
    ],
    ['more than a minute', 'mutation { leaseWorkUnits(input: { waitSeconds: 100000 }) }', {}, 60_000],
  ])('reads the time from %s', (_name, text, variables, ms) => {
    expect(waitOf(text, variables)).toBe(ms);
  });

  it.each([
    ['without a time', 'mutation { leaseWorkUnits(input: {}) }', {}],
    ['with the time 0', 'mutation { leaseWorkUnits(input: { waitSeconds: 0 }) }', {}],
    ['with an invalid time', 'mutation ($w: Int) { leaseWorkUnits(input: { waitSeconds: $w }) }', { w: 'x' }],
    ['of another subgraph with the same argument', 'mutation { take(input: { waitSeconds: 7 }) }', {}],
    ['that reads, with the same argument', '{ next(waitSeconds: 5) }', {}],
    [
      'with another field that works at once',
      'mutation { leaseWorkUnits(input: { waitSeconds: 7 }) take(input: { waitSeconds: 7 }) }',
      {},
    ],
    [
      'with another field that does not wait',
      'mutation { leaseWorkUnits(input: { waitSeconds: 7 }) b: leaseWorkUnits(input: {}) }',
      {},
    ],
  ])('is 0 for an operation %s', (_name, text, variables) => {
    expect(waitOf(text, variables)).toBe(0);
  });

  it('counts at most five minutes for an operation', () => {
    const fields = Array.from({ length: 9 }, (_, at) => `a${at}: leaseWorkUnits(input: { waitSeconds: 60 })`);
    expect(waitOf(`mutation { ${fields.join(' ')} }`)).toBe(300_000);
  });
});
