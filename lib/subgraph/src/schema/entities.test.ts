import { describe, expect, it } from '@jest/globals';
import { createPrincipal, type Policies } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { parse } from 'graphql';
import { buildSubgraph } from './build.js';
import { createInProcess } from '../execution/in-process.js';
import type { ExecutionMode } from '../execution/operation.js';

const typeDefs = parse(`
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", import: ["@key"])
  type Query { ping: String }
  interface Being @key(fields: "id") { id: ID! }
  type Fish implements Being @key(fields: "id") { id: ID! name: String }
  type Stone @key(fields: "id") { id: ID! weight: Int }
`);
const principal = createPrincipal({
  kind: 'HUMAN',
  subject: 'ann',
  grants: [{ experiment: '*', roles: ['READER'] }],
  expiresAt: new Date('2099-01-01T00:00:00Z'),
});
const names: Readonly<Record<string, unknown>> = {
  eel: { id: 'eel', name: 'Eel' },
  rock: Object.freeze({ id: 'rock', weight: 3 }),
};

function setUp(mode: ExecutionMode) {
  const asked: string[] = [];
  const resolve = ({ id }: { id: string }) => {
    if (id === 'throws') throw new Error('at once');
    // Callers must handle any value.
    if (id === 'text') throw 'a text';
    return id === 'late' ? Promise.resolve({ id, name: 'Late' }) : (names[id] ?? null);
  };
  const policies: Policies = {
    'Query.ping': { open: 'a test' },
    'Being.__resolveReference': { action: 'job:read' },
    'Fish.__resolveReference': {
      own: {
        rule: 'not yours',
        holds: ({ parent }) => {
          const { id } = parent as { id: string };
          asked.push(id);
          return id !== 'other';
        },
      },
    },
    'Stone.__resolveReference': { action: 'job:read' },
  };
  const subgraph = buildSubgraph({
    name: 'beings',
    typeDefs,
    resolvers: {
      Query: { ping: () => 'pong' },
      Being: {
        __resolveReference: ({ id }: { id: string }) => ({ ...(names[id] as object), __typename: 'Fish' }),
        __resolveType: () => 'Fish',
      },
      Fish: { __resolveReference: resolve },
      Stone: { __resolveReference: resolve },
    },
    policies,
  });
  const executable = createInProcess({ subgraph, log: silentLogger(), mode, interpretFirst: 0 });
  const text =
    'query ($r: [_Any!]!) { _entities(representations: $r) { __typename ... on Fish { name } ... on Stone { weight } } }';
  const document = parse(text);
  const ask = async (...representations: readonly (readonly [string, string])[]) => {
    const r = representations.map(([__typename, id]) => ({ __typename, id }));
    const { data, errors } = await executable.execute({
      document,
      variables: { r },
      principal,
      requestId: 'r',
    });
    return {
      entities: JSON.parse(JSON.stringify(data?.['_entities'] ?? null)) as unknown,
      errors: errors?.map(({ path, extensions }) => [path?.join('.'), extensions?.['code']]),
    };
  };
  return { ask, asked };
}

describe.each(['jit', 'interpreted'] as const)('entities, %s', (mode) => {
  it('keeps the order of the representations for immediate, asynchronous, frozen and missing entities', async () => {
    const { ask } = setUp(mode);
    expect(await ask(['Fish', 'late'], ['Stone', 'rock'], ['Fish', 'gone'], ['Fish', 'eel'])).toEqual({
      entities: [
        { __typename: 'Fish', name: 'Late' },
        { __typename: 'Stone', weight: 3 },
        null,
        { __typename: 'Fish', name: 'Eel' },
      ],
      errors: undefined,
    });
  });

  it('fails only the entity whose resolver throws, whatever it throws', async () => {
    const { ask } = setUp(mode);
    const { entities, errors } = await ask(['Fish', 'throws'], ['Fish', 'eel'], ['Fish', 'text']);
    expect(entities).toEqual([null, { __typename: 'Fish', name: 'Eel' }, null]);
    expect(errors?.map(([path]) => path)).toEqual(['_entities.0', '_entities.2']);
  });

  it('checks entities one by one if their policy depends on each', async () => {
    const { ask, asked } = setUp(mode);
    const { entities, errors } = await ask(['Fish', 'eel'], ['Fish', 'other'], ['Fish', 'late']);
    expect(asked).toEqual(['eel', 'other', 'late']);
    expect(entities).toMatchObject([{ name: 'Eel' }, null, { name: 'Late' }]);
    expect(errors).toEqual([['_entities.1', 'FORBIDDEN']]);
  });

  it('resolves the type of an interface from the loaded object', async () => {
    const { ask } = setUp(mode);
    expect((await ask(['Being', 'eel'], ['Stone', 'rock'])).entities).toEqual([
      { __typename: 'Fish', name: 'Eel' },
      { __typename: 'Stone', weight: 3 },
    ]);
  });
});
