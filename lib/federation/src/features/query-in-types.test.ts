import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

type Source = Readonly<Record<string, unknown>>;

describe.each(['native', 'fallback'] as const)('a field of the query type, by the %s planner', (planner) => {
  // Our composition library rejects this schema; others accept it.
  const supergraphSdl = `
    schema @link(url: "https://specs.apollo.dev/link/v1.0") @link(url: "https://specs.apollo.dev/join/v0.4", for: EXECUTION) { query: Query mutation: Mutation }
    directive @link(url: String, as: String, for: link__Purpose, import: [link__Import]) repeatable on SCHEMA
    directive @join__graph(name: String!, url: String!) on ENUM_VALUE
    directive @join__type(graph: join__Graph!, key: String, isInterfaceObject: Boolean! = false) repeatable on OBJECT
    directive @join__field(graph: join__Graph) repeatable on FIELD_DEFINITION
    scalar link__Import
    enum link__Purpose { SECURITY EXECUTION }
    enum join__Graph { A @join__graph(name: "a", url: "http://a.invalid") B @join__graph(name: "b", url: "http://b.invalid") }
    type Query @join__type(graph: A) @join__type(graph: B) { a: Int @join__field(graph: A) wraps: [Wrap] @join__field(graph: A) b: Int @join__field(graph: B) bad: Int @join__field(graph: B) }
    type Mutation @join__type(graph: A) { change: Wrap @join__field(graph: A) }
    type Wrap @join__type(graph: A) { query: Query n: Int }
  `;
  const a = testSubgraph({
    name: 'a',
    sdl: 'type Query { a: Int wraps: [Wrap] } type Mutation { change: Wrap } type Wrap { query: Query n: Int }',
    resolvers: {
      Query: { a: () => 1, wraps: () => [{ n: 1 }, null, { n: 2 }] },
      Mutation: { change: () => ({ n: 3 }) },
      Wrap: { query: ({ n }: Source) => (n === 2 ? null : {}) },
    },
  });
  const b = testSubgraph({
    name: 'b',
    sdl: 'type Query { b: Int bad: Int }',
    resolvers: {
      Query: {
        b: () => 2,
        bad: () => {
          throw new Error('bad');
        },
      },
    },
  });
  let gateway: TestEngine;
  beforeAll(async () => {
    gateway = await createTestEngine([a, b], { planner, supergraphSdl });
  });
  afterAll(() => gateway.close());

  it('returns data of all subgraphs', async () => {
    expect(await gateway.text('mutation { change { n query { b a } } }')).toBe(
      '{"data":{"change":{"n":3,"query":{"b":2,"a":1}}}}',
    );
    expect(await gateway.text('{ wraps { query { b } } a }')).toBe(
      '{"data":{"wraps":[{"query":{"b":2}},null,{"query":null}],"a":1}}',
    );
  });

  it('reports errors at their paths', async () => {
    const answer = await gateway.run('mutation { change { query { x: bad a } } }');
    expect(answer.data).toEqual({ change: { query: { x: null, a: 1 } } });
    expect(answer.errors?.map(({ path }) => path)).toEqual([['change', 'query', 'x']]);
  });

  it('sends no call if the object is null', async () => {
    b.calls.length = 0;
    expect(await gateway.text('mutation { change { n } }')).toBe('{"data":{"change":{"n":3}}}');
    expect(b.calls).toEqual([]);
  });
});
