import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { composeSubgraphs, type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// Supergraphs with fields that cannot be resolved, composed so by mistake or on purpose. Operations are
// answered where possible; the others are rejected with a reason before any call.

const roots = 'type Query { stock(id: ID!): Stock @shareable }';
const crates = (external: string): string =>
  `interface Stock { id: ID! } type Crate implements Stock @key(fields: "id") { id: ID!${external} width: Int @shareable }`;

describe('an interface with a field that no subgraph resolves for each of its types', () => {
  const east = testSubgraph({
    name: 'east',
    sdl: `${roots} ${crates('')} type Barrel implements Stock @key(fields: "id") { id: ID! litres: Int @shareable }`,
    resolvers: { Query: { stock: () => ({ __typename: 'Crate', id: 'c', width: 3 }) } },
  });
  const west = testSubgraph({
    name: 'west',
    sdl: `${roots} ${crates('')} type Barrel implements Stock @key(fields: "id") { id: ID! litres: Int @shareable }`,
    resolvers: { Query: { stock: () => ({ __typename: 'Crate', id: 'never', width: 3 }) } },
  });
  let gateway: TestEngine;
  beforeAll(async () => {
    const split = composeSubgraphs([east, west])
      .replace(
        /(type Crate [^{]*\{\s*id: ID!)/,
        '$1 @join__field(graph: EAST) @join__field(graph: WEST, external: true)',
      )
      .replace(
        /(type Barrel [^{]*\{\s*id: ID!)/,
        '$1 @join__field(graph: EAST, external: true) @join__field(graph: WEST)',
      );
    expect(split.match(/external: true/g)).toHaveLength(2);
    gateway = await createTestEngine([east, west], { supergraphSdl: split });
  });
  afterAll(() => gateway.close());

  it('rejects an operation with the field before any call', async () => {
    east.calls.length = west.calls.length = 0;
    const { data, errors } = await gateway.run('{ stock(id: "c") { id } }');
    expect(data).toBeUndefined();
    expect(errors?.[0]?.message).toMatch(/^No query plan was found for this operation/);
    expect([...east.calls, ...west.calls]).toEqual([]);
  });

  it('returns the type and the fields of single types', async () => {
    expect(await gateway.text('{ stock(id: "c") { __typename ... on Crate { width } } }')).toBe(
      '{"data":{"stock":{"__typename":"Crate","width":3}}}',
    );
  });
});

describe('an interface object that cannot be entered', () => {
  const owner = testSubgraph({
    name: 'owner',
    sdl: 'type Query { one: Node } interface Node @key(fields: "id") { id: ID! } type Leaf implements Node @key(fields: "id") { id: ID! n: Int }',
    resolvers: { Query: { one: () => ({ __typename: 'Leaf', id: '1', n: 2 }) } },
  });
  const adder = testSubgraph({
    name: 'adder',
    sdl: 'type Query { other: Node } type Node @key(fields: "id") @interfaceObject { id: ID! field: String }',
    resolvers: { Query: { other: () => ({ id: '1', field: 'added' }) } },
  });
  let gateway: TestEngine;
  beforeAll(async () => {
    const closed = composeSubgraphs([owner, adder]).replace(
      /@join__type\(graph: ADDER, key: "id", isInterfaceObject: true\)/,
      '@join__type(graph: ADDER, key: "id", resolvable: false, isInterfaceObject: true)',
    );
    expect(closed).toContain('resolvable: false, isInterfaceObject');
    gateway = await createTestEngine([owner, adder], { supergraphSdl: closed });
  });
  afterAll(() => gateway.close());

  it('rejects its field if only the other subgraph leads to it', async () => {
    for (const query of ['{ one { field } }', '{ one { ... on Leaf { n field } } }']) {
      const { data, errors } = await gateway.run(query);
      expect(data).toBeUndefined();
      expect(errors?.[0]?.message).toMatch(/^No query plan was found for this operation/);
    }
  });

  it('resolves its field if its own subgraph leads to it', async () => {
    expect(await gateway.text('{ other { field } one { ... on Leaf { n } } }')).toBe(
      '{"data":{"other":{"field":"added"},"one":{"n":2}}}',
    );
  });
});
