import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// Operations that the native planner fails at return the right answer, end to end: subgraphs validate the
// operations they receive, and return values that show which subgraph they come from.

type Source = Readonly<Record<string, unknown>>;
const job = (id: string): Source => ({ __typename: 'Job', id });

const core = testSubgraph({
  name: 'core',
  sdl: `
    type Query { jobs: [Job!] things: [Thing!] node: Node }
    type Job implements Node @key(fields: "id") { id: ID! size: Int price(in: Int): Int }
    interface Node { id: ID! }
    union Thing = Item | Tool
    type Item implements Node @key(fields: "id") { id: ID! weight: Int vendor: Vendor }
    type Tool implements Node @key(fields: "id") { id: ID! brand: String vendor: Vendor }
    type Vendor { id: ID! name: String }
  `,
  resolvers: {
    Query: {
      jobs: () => [job('1'), job('2')],
      things: () => [
        { __typename: 'Item', id: 'i' },
        { __typename: 'Tool', id: 't' },
      ],
      node: () => ({ __typename: 'Tool', id: 't' }),
    },
    Job: {
      size: ({ id }: Source) => Number(id) * 10,
      price: ({ id }: Source, args: Source) => Number(id) * Number(args['in'] ?? 1),
    },
    Item: { weight: () => 3, vendor: () => ({ id: 'v', name: 'Vend' }) },
    Tool: { brand: () => 'Brand', vendor: () => ({ id: 'w', name: 'Wend' }) },
  },
});

const experiment = testSubgraph({
  name: 'experiment',
  sdl: `
    type Query { runs: [Run!] }
    type Job @key(fields: "id") {
      id: ID!
      size: Int @external
      price(in: Int): Int @external
      run: Run
      runs: [Run!]
      weight(k: Int): Int @requires(fields: "size")
      cost: Int @requires(fields: "price(in: 3)")
    }
    type Run @key(fields: "id") { id: ID! job: Job number: Int }
    type Item @key(fields: "id") { id: ID! more: String }
  `,
  resolvers: {
    Query: { runs: () => [{ id: 'r1' }] },
    Job: {
      run: ({ id }: Source) => ({ id: `r${String(id)}` }),
      runs: ({ id }: Source) => [{ id: `r${String(id)}` }],
      weight: ({ size }: Source, { k }: Source) => Number(size) + Number(k ?? 1),
      cost: ({ price }: Source) => Number(price) * 2,
    },
    Run: {
      job: ({ id }: Source) => job(String(id).slice(1)),
      number: ({ id }: Source) => Number(String(id).slice(1)),
    },
    Item: { more: () => 'more' },
  },
});

describe.each(['worker', 'inline'] as const)(
  'operations that the planner fails at, planned in %s',
  (planning) => {
    let gateway: TestEngine;
    beforeAll(async () => {
      gateway = await createTestEngine([core, experiment], { planning });
    });
    afterAll(() => gateway.close());

    const u = 'query ($x: Boolean!, $y: Boolean!)';
    it.each<[string, string, Record<string, unknown>, unknown]>([
      [
        '@requires back into the service that an entity came from',
        '{ jobs { run { job { weight } } } }',
        {},
        { jobs: [{ run: { job: { weight: 11 } } }, { run: { job: { weight: 21 } } }] },
      ],
      [
        'the same over lists, twice, with an argument',
        '{ jobs { runs { job { weight(k: 5) run { job { cost } } } } } }',
        {},
        {
          jobs: [
            { runs: [{ job: { weight: 15, run: { job: { cost: 6 } } } }] },
            { runs: [{ job: { weight: 25, run: { job: { cost: 12 } } } }] },
          ],
        },
      ],
      [
        'the same from a root of that service',
        '{ runs { job { weight } } }',
        {},
        { runs: [{ job: { weight: 11 } }] },
      ],
      [
        'a condition on one member of a union, a field of another without one',
        `${u} { things { ... on Item @include(if: $x) { vendor { name } } ... on Tool { vendor { id } brand @skip(if: $y) } } }`,
        { x: true, y: false },
        { things: [{ vendor: { name: 'Vend' } }, { vendor: { id: 'w' }, brand: 'Brand' }] },
      ],
      [
        'the same, switched off',
        `${u} { things { ... on Item @include(if: $x) { vendor { name } } ... on Tool { vendor { id } brand @skip(if: $y) } } }`,
        { x: false, y: true },
        { things: [{}, { vendor: { id: 'w' } }] },
      ],
      [
        'a fragment on a union inside that union, under a condition',
        `${u} { things { ... on Thing @include(if: $x) { ... on Item { weight more } } ... on Thing @skip(if: $y) { __typename } } }`,
        { x: true, y: false },
        { things: [{ weight: 3, more: 'more', __typename: 'Item' }, { __typename: 'Tool' }] },
      ],
      [
        'conditions that contradict each other',
        `${u} { jobs { size @include(if: $x) @skip(if: $x) ... @include(if: $y) { ... @skip(if: $y) { weight } } id } }`,
        { x: true, y: true },
        { jobs: [{ id: '1' }, { id: '2' }] },
      ],
      [
        'a field that is required under another argument than the client asks for',
        '{ jobs { price(in: 7) cost } }',
        {},
        {
          jobs: [
            { price: 7, cost: 6 },
            { price: 14, cost: 12 },
          ],
        },
      ],
      [
        'the same of one list asked for twice, the client asking for it in one of them',
        '{ jobs { c: cost } others: jobs { cost price } }',
        {},
        {
          jobs: [{ c: 6 }, { c: 12 }],
          others: [
            { cost: 6, price: 1 },
            { cost: 12, price: 2 },
          ],
        },
      ],
      [
        'a variable with a name of the planner',
        'query ($representations: Int) { jobs { weight(k: $representations) } }',
        { representations: 2 },
        { jobs: [{ weight: 12 }, { weight: 22 }] },
      ],
      [
        '@defer',
        '{ jobs { id ... @defer(label: "later") { weight } } }',
        {},
        {
          jobs: [
            { id: '1', weight: 11 },
            { id: '2', weight: 21 },
          ],
        },
      ],
      [
        'a root of which nothing is left',
        'query ($x: Boolean!) { jobs @skip(if: true) { id } }',
        { x: true },
        {},
      ],
    ])('returns the right data: %s', async (_name, query, variables, data) => {
      const answer = await gateway.run(
        query.replace('query ($x: Boolean!) { jobs', 'query { jobs'),
        variables,
      );
      expect(answer.errors).toBeUndefined();
      expect(answer.data).toEqual(data);
    });

    it('does not fetch fields that conditions switch off', async () => {
      core.calls.length = experiment.calls.length = 0;
      const query =
        'query ($x: Boolean!) { jobs { id ... @include(if: $x) { ... @skip(if: $x) { weight size } } } }';
      for (const x of [true, false]) await gateway.run(query, { x });
      expect(experiment.calls).toEqual([]);
      expect(core.calls.map(({ text }) => text).join()).not.toContain('size');
    });

    it.each<[string, string, string]>([
      ['a field that does not exist', '{ jobs { nope } }', 'GRAPHQL_VALIDATION_FAILED'],
      ['an argument that does not exist', '{ jobs { weight(nope: 1) } }', 'GRAPHQL_VALIDATION_FAILED'],
      ['text that is none', '{ jobs { ', 'GRAPHQL_PARSE_FAILED'],
      [
        'two operations without a name',
        'query A { jobs { id } } query B { jobs { id } }',
        'OPERATION_RESOLUTION_FAILURE',
      ],
    ])('rejects %s before planning, with a clear message', async (_name, query, code) => {
      core.calls.length = 0;
      const answer = await gateway.run(query);
      expect(answer.data).toBeUndefined();
      expect(answer.errors?.[0]?.extensions['code']).toBe(code);
      expect(core.calls).toEqual([]);
    });

    it('answers @defer at once and says so', async () => {
      const answer = await gateway.run('{ jobs { id ... @defer { weight } } }');
      expect(answer.extensions).toEqual({ notices: [expect.stringContaining('@defer')] });
    });
  },
);
