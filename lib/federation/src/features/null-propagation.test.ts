import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GraphQLError } from 'graphql';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// A null of one subgraph in a non-null position of the supergraph propagates through data of another
// subgraph.

type Source = Readonly<Record<string, unknown>>;
const isBad = ({ id }: Source): boolean => id === 'bad';
const list = (): unknown => [{ id: '1' }, { id: 'bad' }, { id: '3' }];
const grid = (): unknown => [[{ id: '1' }], [{ id: 'bad' }, { id: '3' }]];

const core = testSubgraph({
  name: 'core',
  sdl: `
    type Query { refused: Int! soft: Int strict: [Job!]! loose: [Job!] free: [Job] grid: [[Job!]!] rows: [[Job!]]! one: Job! wrap: Wrap any: [Any!] }
    type Wrap { jobs: [Job!] other: Int }
    union Any = Job | Wrap
    type Job @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    Query: {
      refused: () => {
        throw new GraphQLError('not for you', { extensions: { code: 'FORBIDDEN' } });
      },
      soft: () => 1,
      strict: list,
      loose: list,
      free: list,
      grid,
      rows: grid,
      one: () => ({ id: 'bad' }),
      wrap: () => ({ jobs: [{ id: 'bad' }], other: 1 }),
      any: () => [
        { __typename: 'Wrap', other: 2, jobs: [{ id: 'bad' }] },
        { __typename: 'Job', id: '1' },
      ],
    },
  },
});
const extra = testSubgraph({
  name: 'extra',
  sdl: `
    type Job @key(fields: "id") { id: ID! must: Int! may: Int deep: Deep thrown: Int! }
    type Deep { list: [Leaf!]! }
    type Leaf { v: Int! }
  `,
  resolvers: {
    Job: {
      must: (job: Source) => (isBad(job) ? null : 1),
      may: () => 2,
      deep: (job: Source) => ({ list: isBad(job) ? [{ v: 1 }, { v: null }] : [{ v: 1 }] }),
      thrown: (job: Source) => {
        if (isBad(job)) throw new Error('thrown away');
        return 4;
      },
    },
  },
});

describe.each(['native', 'fallback'] as const)('nulls in non-null fields, by the %s planner', (planner) => {
  let gateway: TestEngine;
  beforeAll(async () => {
    gateway = await createTestEngine([core, extra], { planner });
  });
  afterAll(() => gateway.close());

  const good = { must: 1 };
  it.each<[string, string, unknown, string]>([
    ['to the answer', '{ strict { must } }', null, 'strict.1.must'],
    ['to a list', '{ loose { id must } }', { loose: null }, 'loose.1.must'],
    ['to an item', '{ free { must } }', { free: [good, null, good] }, 'free.1.must'],
    ['through a list of lists', '{ grid { must } }', { grid: null }, 'grid.1.0.must'],
    ['to a row of a list', '{ rows { must } }', { rows: [[good], null] }, 'rows.1.0.must'],
    ['through an object to the answer', '{ one { must } }', null, 'one.must'],
    [
      'to an object, and not to another of the same entities',
      '{ wrap { other jobs { must } } x: wrap { jobs { may } } }',
      { wrap: { other: 1, jobs: null }, x: { jobs: [{ may: 2 }] } },
      'wrap.jobs.0.must',
    ],
    [
      'inside one subgraph',
      '{ free { deep { list { v } } } }',
      { free: [{ deep: { list: [{ v: 1 }] } }, { deep: null }, { deep: { list: [{ v: 1 }] } }] },
      'free.1.deep.list.1.v',
    ],
    [
      'under an alias, with the reason of the subgraph',
      '{ free { t: thrown id } }',
      { free: [{ t: 4, id: '1' }, null, { t: 4, id: '3' }] },
      'free.1.t',
    ],
    [
      'in a member of a union',
      '{ any { ... on Wrap { other j: jobs { m: must } } ... on Job { must } } }',
      { any: [{ other: 2, j: null }, good] },
      'any.0.j.0.m',
    ],
  ])('propagates %s, with one error at its own path', async (_name, query, data, path) => {
    const answer = await gateway.run(query);
    expect(answer.data).toEqual(data);
    expect(answer.errors?.map((error) => error.path?.join('.'))).toEqual([path]);
    expect(answer.errors?.[0]?.extensions).toMatchObject({
      code: 'DOWNSTREAM_SERVICE_ERROR',
      subgraph: 'extra',
    });
  });

  it('does not blame the neighbours of a refused field, whose answer its subgraph left out', async () => {
    const before = gateway.log.lines.length;
    const answer = await gateway.run('{ one { may } refused strict { id } soft }');
    expect(answer.data).toBeNull();
    expect(answer.errors).toMatchObject([{ path: ['refused'], extensions: { code: 'FORBIDDEN' } }]);
    expect(gateway.log.lines.slice(before).filter(({ level }) => level === 'warn')).toEqual([]);
  });

  it('reports one error for two failures that null the same list', async () => {
    const answer = await gateway.run('{ loose { thrown must } free { id } }');
    expect(answer.data).toEqual({ loose: null, free: list() });
    expect(answer.errors?.length).toBeGreaterThanOrEqual(1);
    for (const { path } of answer.errors ?? []) expect(path?.slice(0, 2)).toEqual(['loose', 1]);
  });
});
