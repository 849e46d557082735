import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

type Source = Readonly<Record<string, unknown>>;

describe.each(['native', 'fallback'] as const)('@requires, by the %s planner', (planner) => {
  const core = testSubgraph({
    name: 'core',
    sdl: `
      type Query { jobs: [Job!]! }
      type Job @key(fields: "id") { id: ID! size: Int tags: [Tag!]! }
      type Tag @shareable { name: String! value: Int }
    `,
    resolvers: {
      Query: { jobs: () => [{ id: '1' }, { id: '2' }] },
      Job: {
        size: ({ id }: Source) => (id === '1' ? 10 : null),
        tags: ({ id }: Source) => [
          { name: `t${String(id)}`, value: 1 },
          { name: 'u', value: null },
        ],
      },
    },
  });
  const alpha = testSubgraph({
    name: 'alpha',
    sdl: `
      type Query { alphaJobs: [Job!] }
      type Job @key(fields: "id") {
        id: ID! size: Int @external tags: [Tag!]! @external
        weight(by: Int = 1): Int @requires(fields: "size") alpha: Alpha names: String @requires(fields: "tags { value name }")
      }
      type Tag @shareable { name: String! value: Int }
      type Alpha { run: Int job: Job jobs: [Job!] }
    `,
    resolvers: {
      Query: { alphaJobs: () => [{ id: '2' }, { id: '1' }] },
      Job: {
        weight: ({ size }: Source, { by }: Source) => (size === null ? -1 : Number(size) * Number(by)),
        names: ({ tags }: { tags: { name: string; value: number | null }[] }) =>
          tags.map(({ name, value }) => `${name}=${value}`).join(),
        alpha: ({ id }: Source) => ({ run: 1, job: { id }, jobs: [{ id: '1' }, { id: '2' }] }),
      },
    },
  });
  const beta = testSubgraph({
    name: 'beta',
    sdl: `
      type Job @key(fields: "id") { id: ID! size: Int @external weight: Int @external half: Int @requires(fields: "size") doubled: Int @requires(fields: "weight") }
    `.replace('weight: Int @external', 'weight(by: Int = 1): Int @external'),
    resolvers: {
      Job: {
        half: ({ size }: Source) => (size === null ? -2 : Number(size) / 2),
        doubled: ({ weight }: Source) => Number(weight) * 2,
      },
    },
  });
  let gateway: TestEngine;
  beforeAll(async () => {
    gateway = await createTestEngine([core, alpha, beta], { planner, planning: 'worker' });
  });
  afterAll(() => gateway.close());

  it.each([
    ['null is a value like any other', '{ jobs { weight } }', '{"jobs":[{"weight":10},{"weight":-1}]}'],
    ['objects in lists', '{ jobs { names } }', '{"jobs":[{"names":"t1=1,u=null"},{"names":"t2=1,u=null"}]}'],
    [
      'back into the subgraph that the entity came from',
      '{ jobs { alpha { job { weight } jobs { weight(by: 2) } } } }',
      '{"jobs":[{"alpha":{"job":{"weight":10},"jobs":[{"weight":20},{"weight":-1}]}},{"alpha":{"job":{"weight":-1},"jobs":[{"weight":20},{"weight":-1}]}}]}',
    ],
    [
      'from a root of that subgraph',
      '{ alphaJobs { weight alpha { job { names } } } }',
      '{"alphaJobs":[{"weight":-1,"alpha":{"job":{"names":"t2=1,u=null"}}},{"weight":10,"alpha":{"job":{"names":"t1=1,u=null"}}}]}',
    ],
    [
      'one field for two subgraphs, from a root of one of them',
      '{ alphaJobs { weight half } }',
      '{"alphaJobs":[{"weight":-1,"half":-2},{"weight":10,"half":5}]}',
    ],
    [
      'a field that itself requires another',
      '{ jobs { doubled } }',
      '{"jobs":[{"doubled":20},{"doubled":-2}]}',
    ],
  ])('resolves %s', async (_name, query, data) => {
    expect(await gateway.text(query)).toBe(`{"data":${data}}`);
  });
});
