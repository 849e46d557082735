import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { type TestSubgraph, testSubgraph } from '../testing/test-subgraph.js';

// Lists of abstract types that several subgraphs resolve, each with its own fields of the items.

type Source = Readonly<Record<string, unknown>>;

const list = [{ __typename: 'P', id: '1' }, null, { __typename: 'Q', id: '2' }, { __typename: 'P', id: '3' }];
const full = list.filter((item) => item !== null);

/** One of the subgraphs; its fields carry its name. */
function part(name: string): TestSubgraph {
  const own = (type: string) => (source: Source) => `${name}${type}${String(source['id'])}`;
  return testSubgraph({
    name,
    sdl: `
      type Query { items: [Item] @shareable nested: [[Item!]!] @shareable holder: Holder @shareable values: [Value] @shareable }
      type Holder @shareable { items: [Item!]! }
      interface Item { id: ID! }
      type P implements Item @key(fields: "id") { id: ID! @shareable ${name}P: String }
      type Q implements Item @key(fields: "id") { id: ID! @shareable ${name}Q: String }
      union Value = V | W
      type V @shareable { id: ID! }
      type W { id: ID! @shareable in: In @shareable }
      type In { v: Int @shareable ${name}V: String }
    `,
    resolvers: {
      Query: {
        items: () => list,
        nested: () => [full, [], [list[2]]],
        holder: () => ({ items: full }),
        values: () => [
          { __typename: 'V', id: 1 },
          { __typename: 'W', id: 2, in: { v: 1, [`${name}V`]: name } },
          null,
        ],
      },
      P: { [`${name}P`]: own('p') },
      Q: { [`${name}Q`]: own('q') },
    },
  });
}

describe.each(['native', 'fallback'] as const)(
  'shared lists of abstract types, by the %s planner',
  (planner) => {
    let gateway: TestEngine;
    beforeAll(async () => {
      gateway = await createTestEngine([part('a'), part('b')], { planner });
    });
    afterAll(() => gateway.close());

    it.each<[string, string, string]>([
      [
        'with nulls among the items',
        '{ items { id ... on P { bP aP } ... on Q { aQ bQ } } }',
        '{"items":[{"id":"1","bP":"bp1","aP":"ap1"},null,{"id":"2","aQ":"aq2","bQ":"bq2"},{"id":"3","bP":"bp3","aP":"ap3"}]}',
      ],
      [
        'each type of another subgraph, under one key',
        '{ items { ... on Q { x: aQ } ... on P { x: bP } } }',
        '{"items":[{"x":"bp1"},null,{"x":"aq2"},{"x":"bp3"}]}',
      ],
      [
        'in lists of lists',
        '{ nested { ... on Q { aQ bQ } ... on P { aP bP } } }',
        '{"nested":[[{"aP":"ap1","bP":"bp1"},{"aQ":"aq2","bQ":"bq2"},{"aP":"ap3","bP":"bp3"}],[],[{"aQ":"aq2","bQ":"bq2"}]]}',
      ],
      [
        'in an object that is shared itself, twice with other parts',
        '{ holder { items { ... on P { bP } ... on Q { aQ } } } h: holder { items { ... on P { p: aP } ... on Q { q: bQ } } } }',
        '{"holder":{"items":[{"bP":"bp1"},{"aQ":"aq2"},{"bP":"bp3"}]},"h":{"items":[{"p":"ap1"},{"q":"bq2"},{"p":"ap3"}]}}',
      ],
      [
        'of values without a key, merged item by item',
        '{ values { ... on W { in { bV aV v } id } ... on V { id } } }',
        '{"values":[{"id":"1"},{"in":{"bV":"b","aV":"a","v":1},"id":"2"},null]}',
      ],
    ])('resolves %s', async (_name, query, data) => {
      expect(await gateway.text(query)).toBe(`{"data":${data}}`);
    });
  },
);
