import { describe, expect, it } from '@jest/globals';
import { createPrincipal } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { parse } from 'graphql';
import { buildSubgraph } from './build.js';
import { createInProcess } from '../execution/in-process.js';
import type { ExecutionMode } from '../execution/operation.js';

const seen: unknown[] = [];

const subgraph = buildSubgraph({
  name: 'numbers',
  typeDefs: parse(`
    scalar SafeInt
    input NumbersInput { int: Int, safe: SafeInt, float: Float, ints: [Int!] = [0] }
    type Query { take(int: Int, safe: SafeInt, float: Float, input: NumbersInput): Boolean }
  `),
  resolvers: {
    Query: {
      take: (_parent: unknown, { int, safe, float, input }: Record<string, unknown>) => {
        const inner = input as Record<string, unknown> | undefined;
        seen.push(int, safe, float, inner?.['int'], inner?.['safe'], inner?.['float']);
        seen.push(...((inner?.['ints'] as readonly unknown[] | undefined) ?? []));
        return true;
      },
    },
  },
  policies: { 'Query.take': { action: 'job:read' } },
});

const principal = createPrincipal({
  kind: 'HUMAN',
  subject: 'somebody',
  grants: [{ experiment: 'alpha', roles: ['READER'] }],
  expiresAt: new Date('2099-01-01T00:00:00Z'),
});

describe.each<ExecutionMode>(['jit', 'interpreted'])('numbers as input, %s', (mode) => {
  const executable = createInProcess({ subgraph, log: silentLogger(), mode, interpretFirst: 0 });
  const run = (query: string, variables: Record<string, unknown> = {}) =>
    executable.execute({ document: parse(query), variables, principal, requestId: 'req-1' });

  it.each([
    [
      'variables',
      'query ($i: Int, $s: SafeInt, $f: Float, $input: NumbersInput) { take(int: $i, safe: $s, float: $f, input: $input) }',
      { i: -0, s: -0, f: -0, input: { int: -0, safe: -0, float: -0, ints: [-0] } },
    ],
    [
      'literals',
      '{ take(int: -0, safe: -0, float: -0.0, input: { int: -0, safe: -0, float: -0, ints: [-0] }) }',
      {},
    ],
    [
      'defaults of variables',
      'query ($i: Int = -0, $s: SafeInt = -0, $f: Float = -0.0, $input: NumbersInput = { int: -0, safe: -0, float: -0, ints: -0 }) { take(int: $i, safe: $s, float: $f, input: $input) }',
      {},
    ],
  ])('gives a resolver 0 for -0 in %s', async (_where, query, variables) => {
    seen.length = 0;
    expect(await run(query, variables)).toEqual({ data: { take: true } });
    expect(seen).toHaveLength(7);
    for (const value of seen) expect(value).toBe(0);
  });
});
