import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createPrincipal } from '@rhizome/authz';
import { type TestGateway, testGateway } from '../testing/gateway.js';
import { type TestSubgraph, testSubgraph } from '../testing/subgraph.js';

// Each semantics of Federation 2 that an executor has to know, on subgraphs of our own, with either planner.

type Source = Readonly<Record<string, unknown>>;

/** An interface that one subgraph owns and another extends without knowing its types. */
function media(): TestSubgraph[] {
  const all = [
    { __typename: 'Film', id: 'f1', title: 'One', minutes: 90, secret: 's' },
    { __typename: 'Song', id: 's1', title: 'Two', bpm: 120 },
  ];
  const owner = testSubgraph({
    name: 'owner',
    sdl: `
      type Query { media: [Media!]! any: [Any] film: Film }
      interface Media @key(fields: "id") { id: ID! title: String }
      type Film implements Media @key(fields: "id") { id: ID! title: String minutes: Int kind: Kind }
      type Song implements Media @key(fields: "id") { id: ID! title: String bpm: Int kind: Kind }
      type Hidden @inaccessible { x: Int }
      enum Kind { A B @inaccessible }
      union Any = Film | Song | Hidden
    `,
    resolvers: {
      Query: {
        media: () => all,
        any: () => [all[0], { __typename: 'Hidden', x: 1 }, all[1]],
        film: () => all[0],
      },
      Media: { __resolveReference: ({ id }: Source) => all.find((one) => one.id === id) },
      Film: { kind: () => 'B' },
      Song: { kind: () => 'A' },
    },
  });
  const ratings = testSubgraph({
    name: 'ratings',
    sdl: `
      type Query { best: Media top: [Media!]! }
      type Media @key(fields: "id") @interfaceObject { id: ID! stars: Int title: String @external slogan: String @requires(fields: "title") }
    `,
    resolvers: {
      Query: { best: () => ({ id: 's1' }), top: () => [{ id: 'f1' }, { id: 's1' }] },
      Media: {
        stars: ({ id }: Source) => String(id).length,
        slogan: ({ title }: Source) => `See ${String(title)}!`,
        __resolveReference: (rep: Source) => rep,
      },
    },
  });
  return [owner, ratings];
}

describe.each(['native', 'reserve'] as const)('interfaces, by the %s planner', (planner) => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await testGateway(media(), { planner });
  });
  afterAll(() => gateway.close());

  test.each([
    [
      'fields of the interface and of its types',
      '{ media { title ... on Film { minutes } ... on Song { bpm } id } }',
      '{"media":[{"title":"One","minutes":90,"id":"f1"},{"title":"Two","bpm":120,"id":"s1"}]}',
    ],
    [
      'a field that an interface object adds',
      '{ media { stars id } }',
      '{"media":[{"stars":2,"id":"f1"},{"stars":2,"id":"s1"}]}',
    ],
    ['the same of a concrete type', '{ film { stars slogan } }', '{"film":{"stars":2,"slogan":"See One!"}}'],
    [
      'a type name that only the other subgraph knows',
      '{ best { t: __typename __typename } }',
      '{"best":{"t":"Song","__typename":"Song"}}',
    ],
    [
      'fields of the true types from an interface object',
      '{ top { __typename ... on Song { bpm } ... on Film { minutes stars } } }',
      '{"top":[{"__typename":"Film","minutes":90,"stars":2},{"__typename":"Song","bpm":120}]}',
    ],
    [
      'what an interface object requires',
      '{ top { slogan } }',
      '{"top":[{"slogan":"See One!"},{"slogan":"See Two!"}]}',
    ],
    ['only what the interface object has itself', '{ best { id stars } }', '{"best":{"id":"s1","stars":2}}'],
    [
      'a hidden type reads as null',
      '{ any { __typename ... on Film { id } } }',
      '{"any":[{"__typename":"Film","id":"f1"},null,{"__typename":"Song"}]}',
    ],
    [
      'a hidden enum value reads as null',
      '{ media { ... on Film { kind } ... on Song { kind } } }',
      '{"media":[{"kind":null},{"kind":"A"}]}',
    ],
    [
      'fragments in fragments, keys in order of first appearance',
      '{ media { ...A ... on Media { id ...B } } } fragment A on Media { ... on Song { bpm } title } fragment B on Film { minutes id }',
      '{"media":[{"title":"One","id":"f1","minutes":90},{"bpm":120,"title":"Two","id":"s1"}]}',
    ],
    [
      'a fragment that never applies',
      '{ film { ... on Media { ... on Song { bpm } title } } }',
      '{"film":{"title":"One"}}',
    ],
  ])('%s', async (_name, query, data) => {
    expect(await gateway.text(query)).toBe(`{"data":${data}}`);
  });

  test('a hidden value cannot be asked for', async () => {
    const answer = await gateway.run('{ any { ... on Hidden { x } } }');
    expect(answer.errors?.[0]?.message).toContain('Unknown type "Hidden"');
  });

  test('a value that clients cannot see is no error', async () => {
    expect(
      (await gateway.run('{ any { __typename } media { ... on Film { kind } } }')).errors,
    ).toBeUndefined();
  });
});

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

describe.each(['native', 'reserve'] as const)('entities, by the %s planner', (planner) => {
  let gateway: TestGateway;
  let subgraphs: TestSubgraph[];
  beforeAll(async () => {
    subgraphs = entities();
    gateway = await testGateway(subgraphs, { planner });
  });
  afterAll(() => gateway.close());

  test.each([
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
      'a required field with an argument, beside another of the client',
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
  ])('%s', async (_name, query, data) => {
    expect(await gateway.text(query)).toBe(`{"data":${data}}`);
  });

  test('what is provided is not fetched', async () => {
    const b = subgraphs[1];
    const before = b?.calls.length;
    await gateway.run('{ things { friend { nick } } }');
    expect(b?.calls.length).toBe(before);
  });

  test('equal entities are asked for once', async () => {
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

  test('an override by percentage follows the caller, for ever on one side', async () => {
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

describe.each(['native', 'reserve'] as const)('overrides by label, by the %s planner', (planner) => {
  const a = testSubgraph({
    name: 'a',
    sdl: 'type Query { thing: Thing } type Thing @key(fields: "id") { id: ID! f: String }',
    resolvers: { Query: { thing: () => ({ id: 1 }) }, Thing: { f: () => 'a' } },
  });
  const b = testSubgraph({
    name: 'b',
    sdl: 'type Thing @key(fields: "id") { id: ID! f: String @override(from: "a", label: "new-f") }',
    resolvers: { Thing: { f: () => 'b' } },
  });

  test.each([
    [new Set<string>(), 'a'],
    [new Set(['new-f', 'unknown']), 'b'],
  ])('%p', async (overrideLabels, expected) => {
    const gateway = await testGateway([a, b], { planner, overrideLabels });
    expect(await gateway.text('{ thing { f } }')).toBe(`{"data":{"thing":{"f":"${expected}"}}}`);
    await gateway.close();
  });
});

describe.each(['native', 'reserve'] as const)('@requires, by the %s planner', (planner) => {
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
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await testGateway([core, alpha, beta], { planner, planning: 'worker' });
  });
  afterAll(() => gateway.close());

  test.each([
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
  ])('%s', async (_name, query, data) => {
    expect(await gateway.text(query)).toBe(`{"data":${data}}`);
  });
});

describe.each(['native', 'reserve'] as const)('a field of the query type, by the %s planner', (planner) => {
  // The composition of the house refuses this, other ones allow it.
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
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await testGateway([a, b], { planner, supergraphSdl });
  });
  afterAll(() => gateway.close());

  test('is answered by all services', async () => {
    expect(await gateway.text('mutation { change { n query { b a } } }')).toBe(
      '{"data":{"change":{"n":3,"query":{"b":2,"a":1}}}}',
    );
    expect(await gateway.text('{ wraps { query { b } } a }')).toBe(
      '{"data":{"wraps":[{"query":{"b":2}},null,{"query":null}],"a":1}}',
    );
  });

  test('tells its errors where they belong', async () => {
    const answer = await gateway.run('mutation { change { query { x: bad a } } }');
    expect(answer.data).toEqual({ change: { query: { x: null, a: 1 } } });
    expect(answer.errors?.map(({ path }) => path)).toEqual([['change', 'query', 'x']]);
  });

  test('asks nobody where there is no such object', async () => {
    b.calls.length = 0;
    expect(await gateway.text('mutation { change { n } }')).toBe('{"data":{"change":{"n":3}}}');
    expect(b.calls).toEqual([]);
  });
});
