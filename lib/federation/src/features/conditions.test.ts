import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildSchema, execute, parse } from 'graphql';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// @skip and @include at every depth, for every combination of their variables, compared with graphql-js on
//   one schema.

const item = (id: string): object => ({
  __typename: 'Item',
  id,
  weight: 3,
  vendor: { id: 'v', name: 'V' },
  more: `m${id}`,
});
const tool = {
  __typename: 'Tool',
  id: 't',
  brand: 'B',
  vendor: { id: 'w', name: 'W', boss: { id: 'b' } },
  thing: item('ti'),
  more: 'mt',
  price: ({ k }: { k: number }) => k,
};
const job = (id: string): object => ({
  __typename: 'Job',
  id,
  size: id.length,
  vendor: { id: 'jv', name: 'J' },
  more: `m${id}`,
  double: id.length * 2,
});
const things = [item('i'), tool, job('jj')];
const jobs = [job('1'), null];

const core = testSubgraph({
  name: 'core',
  sdl: `
    type Query { things: [Thing!] node: Node jobs: [Job] }
    union Thing = Item | Tool | Job
    interface Node { id: ID! }
    type Item implements Node @key(fields: "id") { id: ID! weight: Int vendor: Vendor }
    type Tool implements Node @key(fields: "id") { id: ID! brand: String vendor: Vendor thing: Thing }
    type Job implements Node @key(fields: "id") { id: ID! size: Int vendor: Vendor }
    type Vendor { id: ID! name: String boss: Vendor }
  `,
  resolvers: { Query: { things: () => things, node: () => tool, jobs: () => jobs } },
});
type Source = Readonly<Record<string, unknown>>;
const more = ({ id }: Source): string => `m${String(id)}`;
const extra = testSubgraph({
  name: 'extra',
  sdl: `
    type Item @key(fields: "id") { id: ID! more: String }
    type Tool @key(fields: "id") { id: ID! more: String price(k: Int): Int }
    type Job @key(fields: "id") { id: ID! more: String size: Int @external double: Int @requires(fields: "size") }
  `,
  resolvers: {
    Item: { more },
    Tool: { more, price: (_: unknown, { k }: Source) => k },
    Job: { more, double: ({ size }: Source) => Number(size) * 2 },
  },
});
const reference = buildSchema(`
  type Query { things: [Thing!] node: Node jobs: [Job] }
  union Thing = Item | Tool | Job
  interface Node { id: ID! }
  type Item implements Node { id: ID! weight: Int vendor: Vendor more: String }
  type Tool implements Node { id: ID! brand: String vendor: Vendor thing: Thing more: String price(k: Int): Int }
  type Job implements Node { id: ID! size: Int vendor: Vendor more: String double: Int }
  type Vendor { id: ID! name: String boss: Vendor }
`);

describe.each(['native', 'fallback'] as const)('conditions, by the %s planner', (planner) => {
  let gateway: TestEngine;
  beforeAll(async () => {
    gateway = await createTestEngine([core, extra], { planner, planning: 'worker' });
  });
  afterAll(() => gateway.close());

  it.each<[string, string]>([
    [
      'on members of a union next to fields without one',
      '{ things { ... on Item @include(if: $x) { more vendor { name } } ... on Tool { vendor { id } more @skip(if: $y) } ... on Node @skip(if: $x) { id @include(if: $z) } } }',
    ],
    [
      'on the union inside itself',
      '{ things @include(if: $x) { ... on Thing @include(if: $y) { ... on Thing @skip(if: $z) { ... on Job { double } } ... on Item { weight } } __typename @skip(if: $y) } node @skip(if: $x) { id } }',
    ],
    [
      'that contradict each other',
      '{ things { ... @include(if: $x) { ... @skip(if: $x) { ... on Job { double } } } ... on Job @include(if: $y) @skip(if: $y) { size } ... on Job { id @include(if: $x) @skip(if: $y) more @skip(if: $z) } } }',
    ],
    [
      'that contradict each other around all that is asked for',
      '{ jobs @include(if: $x) { ... @skip(if: $x) { double } ... on Job @include(if: $y) { ... @include(if: $z) { ... @skip(if: $y) { more } } } } }',
    ],
    [
      'on one fragment that is spread twice at the root',
      '{ ...F @include(if: $x) ...F @include(if: $y) } fragment F on Query { jobs { double ...G @skip(if: $z) more @include(if: $y) } } fragment G on Job { size vendor { id name @include(if: $x) boss { id } } }',
    ],
    [
      'on a field and on what is selected of it elsewhere',
      '{ node { ... on Tool { thing @include(if: $x) { ... on Item @include(if: $y) { more } ... on Tool { price(k: 3) } } } ... on Node @include(if: $z) { ... on Tool @skip(if: $y) { thing { ... on Item { weight } } } } } }',
    ],
    [
      'on parts of objects under several keys',
      '{ jobs { vendor { id @skip(if: $x) } vendor { boss { id } } v2: vendor @include(if: $y) { ...W } } } fragment W on Vendor { id @include(if: $x) name @skip(if: $z) }',
    ],
    [
      'on one key of several types, on a type name, on the schema',
      '{ a: things { ... on Item { m: more @include(if: $x) } ... on Tool { m: more @include(if: $y) } ... on Job { m: more @skip(if: $z) } } __typename @include(if: $x) s: __schema @skip(if: $y) { queryType { name } } }',
    ],
  ])('returns what graphql-js returns for conditions %s', async (_name, query) => {
    const text = `query ($x: Boolean!, $y: Boolean!, $z: Boolean! = true) ${query}`;
    for (let bits = 0; bits < 8; bits++) {
      const variables = { x: (bits & 1) > 0, y: (bits & 2) > 0, ...((bits & 4) > 0 ? {} : { z: false }) };
      const wanted = await execute({
        schema: reference,
        document: parse(text),
        rootValue: { things, node: tool, jobs },
        variableValues: variables,
      });
      expect(wanted.errors).toBeUndefined();
      expect(await gateway.text(text, variables)).toBe(JSON.stringify(wanted));
    }
  });
});
