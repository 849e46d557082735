import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPrincipal } from '@rhizome/authz';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { type TestSubgraph, testSubgraph } from '../testing/test-subgraph.js';

// Entities assembled from several subgraphs, with either planner.

type Source = Readonly<Record<string, unknown>>;

/** Keys in a chain, composite and nested keys, shared fields, overrides, provided fields. */
function entities(): TestSubgraph[] {
  const a = testSubgraph({
    name: 'a',
    sdl: `
      type Query { things: [Thing] box: Box @shareable }
      type Thing @key(fields: "code") { code: String! moved: String late: String friend: Friend @provides(fields: "nick") }
      type Friend @key(fields: "id") { id: ID! nick: String @external }
      type Box @shareable { width: Int inner: Inner }
      type Inner @shareable { a: Int }
    `,
    resolvers: {
      Query: {
        things: () => [{ code: 'x' }, null, { code: 'y' }],
        box: () => ({ width: 1, inner: { a: 1 } }),
      },
      Thing: {
        moved: () => {
          throw new Error('moved away');
        },
        late: () => 'from a',
        friend: ({ code }: Source) => ({ id: `friend-${String(code)}`, nick: `nick-${String(code)}` }),
      },
    },
  });
  const b = testSubgraph({
    name: 'b',
    sdl: `
      type Query { box: Box @shareable }
      type Thing @key(fields: "code") @key(fields: "id org { name }") { code: String! id: ID! org: Org! moved: String @override(from: "a") late: String @override(from: "a", label: "percent(25)") }
      type Org @shareable { name: String! }
      type Box { width: Int @shareable inner: Inner @shareable height: Int }
      type Inner { a: Int @shareable b: Int }
      type Friend @key(fields: "id") { id: ID! nick: String @shareable age: Int }
    `,
    resolvers: {
      Query: { box: () => ({ width: 1, inner: { a: 1, b: 2 }, height: 3 }) },
      Thing: {
        id: ({ code }: Source) => `id-${String(code)}`,
        org: () => ({ name: 'org' }),
        moved: () => 'in b',
        late: () => 'from b',
        __resolveReference: ({ code, id }: Source) => ({ code: code ?? String(id).slice(3) }),
      },
      Friend: { nick: () => 'asked in b', age: () => 7 },
    },
  });
  const c = testSubgraph({
    name: 'c',
    sdl: `
      type Thing @key(fields: "id org { name }") { id: ID! org: Org! size(unit: String = "m"): Int price(currency: String): Int @external cost: String @requires(fields: "price(currency: \\"EUR\\")") }
      type Org @shareable { name: String! }
    `,
    resolvers: {
      Thing: {
        size: ({ id }: Source, { unit }: Source) => String(id).length + String(unit).length,
        cost: ({ price }: Source) => `costs ${String(price)}`,
      },
    },
  });
  const d = testSubgraph({
    name: 'd',
    sdl: 'type Thing @key(fields: "code") { code: String! price(currency: String): Int }',
    resolvers: { Thing: { price: (_: unknown, { currency }: Source) => (currency === 'EUR' ? 5 : 6) } },
  });
  return [a, b, c, d];
}

describe.each(['native', 'fallback'] as const)('entities, by the %s planner', (planner) => {
  let gateway: TestEngine;
  let subgraphs: TestSubgraph[];
  beforeAll(async () => {
    subgraphs = entities();
    gateway = await createTestEngine(subgraphs, { planner });
  });
  afterAll(() => gateway.close());

  it.each([
    [
      'a way over two keys, the second composite and nested',
      '{ things { size } }',
      '{"things":[{"size":5},null,{"size":5}]}',
    ],
    [
      'a field that another subgraph took over',
      '{ things { moved } }',
      '{"things":[{"moved":"in b"},null,{"moved":"in b"}]}',
    ],
    [
      'a required field with an argument, next to another of the client',
      '{ things { price(currency: "USD") cost } }',
      '{"things":[{"price":6,"cost":"costs 5"},null,{"price":6,"cost":"costs 5"}]}',
    ],
    [
      'a required field whose name the client uses for something else',
      '{ things { price: code cost } }',
      '{"things":[{"price":"x","cost":"costs 5"},null,{"price":"y","cost":"costs 5"}]}',
    ],
    [
      'a key whose name the client uses for something else',
      '{ things { code: size } }',
      '{"things":[{"code":5},null,{"code":5}]}',
    ],
    [
      'one shared value from two subgraphs',
      '{ box { height width inner { b a } } }',
      '{"box":{"height":3,"width":1,"inner":{"b":2,"a":1}}}',
    ],
    [
      'a provided field costs no fetch',
      '{ things { friend { nick } } }',
      '{"things":[{"friend":{"nick":"nick-x"}},null,{"friend":{"nick":"nick-y"}}]}',
    ],
    [
      'one field under several keys and arguments',
      '{ things { a: size(unit: "mm") b: size size(unit: "") } }',
      '{"things":[{"a":6,"b":5,"size":4},null,{"a":6,"b":5,"size":4}]}',
    ],
  ])('resolves %s', async (_name, query, data) => {
    expect(await gateway.text(query)).toBe(`{"data":${data}}`);
  });

  it('does not fetch provided fields', async () => {
    const b = subgraphs[1];
    const before = b?.calls.length;
    await gateway.run('{ things { friend { nick } } }');
    expect(b?.calls.length).toBe(before);
  });

  it('requests equal entities once', async () => {
    const d = subgraphs[3];
    if (d) d.calls.length = 0;
    await gateway.run('{ one: things { price } two: things { price } }');
    const asked = d?.calls.flatMap(({ variables }) =>
      Object.values(variables).flatMap((list) => list as unknown[]),
    );
    expect(asked?.length).toBeGreaterThanOrEqual(2);
    expect(new Set(asked?.map((one) => JSON.stringify(one))).size).toBe(2);
    for (const { variables } of d?.calls ?? []) {
      for (const list of Object.values(variables) as unknown[][]) {
        expect(new Set(list.map((one) => JSON.stringify(one))).size).toBe(list.length);
      }
    }
  });

  it('keeps a caller on one side of an override by percentage', async () => {
    const seen = new Map<string, number>();
    for (let index = 0; index < 200; index++) {
      const principal = createPrincipal({
        kind: 'HUMAN',
        subject: `user-${index}`,
        grants: [],
        expiresAt: new Date(1e15),
      });
      const text = await gateway.text('{ things { late } }', {}, { principal });
      expect(await gateway.text('{ things { late } }', {}, { principal })).toBe(text);
      seen.set(text, (seen.get(text) ?? 0) + 1);
    }
    const inB = seen.get('{"data":{"things":[{"late":"from b"},null,{"late":"from b"}]}}') ?? 0;
    expect(seen.size).toBe(2);
    expect(inB).toBeGreaterThan(25);
    expect(inB).toBeLessThan(80);
  });
});
