import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { type TestSubgraph, testSubgraph } from '../testing/test-subgraph.js';

// Documents that select more than data of one shape: aliases that meet, introspection with data, several
// operations, mutations of several subgraphs.

type Source = Readonly<Record<string, unknown>>;

describe.each(['native', 'fallback'] as const)(
  'aliases that meet in fragments on abstract types, by the %s planner',
  (planner) => {
    const self = ({ id }: Source, { x }: Source): Source => ({ id: `${String(id)}${String(x ?? '')}` });
    const a = testSubgraph({
      name: 'a',
      sdl: `
      type Query { things: [Thing!] node: Node }
      union Thing = A | B | C
      interface Node { id: ID! }
      type A implements Node @key(fields: "id") { id: ID! name: String n: Int self(x: Int): A }
      type B implements Node @key(fields: "id") { id: ID! title: String! m: Int self(x: Int): B }
      type C @key(fields: "id") { id: ID! title: String }
    `,
      resolvers: {
        Query: {
          things: () => ['A', 'B', 'C'].map((__typename) => ({ __typename, id: __typename.toLowerCase() })),
          node: () => ({ __typename: 'B', id: 'b' }),
        },
        A: { name: () => 'an', n: () => 1, self },
        B: { title: () => 'bt', m: () => 2, self },
        C: { title: () => 'ct' },
      },
    });
    const extra = ({ id }: Source): Source => ({ id: `x${String(id)}` });
    const other = ({ id }: Source): Source => ({ id: `o${String(id)}`, q: 5, owner: { id: 'own' } });
    const b = testSubgraph({
      name: 'b',
      sdl: `
      type A @key(fields: "id") { id: ID! extra: Extra size: Int }
      type B @key(fields: "id") { id: ID! extra: Extra other: Other size: Int }
      type C @key(fields: "id") { id: ID! other: Other }
      type Extra { id: ID! p(k: Int): Int }
      type Other { id: ID! q: Int owner: A }
    `,
      resolvers: {
        A: { extra, size: () => 8 },
        B: { extra, other, size: () => null },
        C: { other },
        Extra: { p: (_: unknown, { k }: Source) => k },
      },
    });
    let gateway: TestEngine;
    beforeAll(async () => {
      gateway = await createTestEngine([a, b], { planner });
    });
    afterAll(() => gateway.close());

    it.each<[string, string, string]>([
      [
        'leaves of two subgraphs',
        '{ things { ... on A { x: n } ... on B { x: size } ... on C { y: title } } }',
        '{"things":[{"x":1},{"x":null},{"y":"ct"}]}',
      ],
      [
        'one field with other arguments, below',
        '{ things { ... on B { v: extra { e: p(k: 3) id } } ... on A { v: extra { e: p(k: 4) } } } }',
        '{"things":[{"v":{"e":4}},{"v":{"e":3,"id":"xb"}},{}]}',
      ],
      [
        'objects of the types themselves, further fetched',
        '{ things { ... on A { s: self(x: 1) { id size } } ... on B { s: self(x: 2) { id size } s2: self { id } } } }',
        '{"things":[{"s":{"id":"a1","size":8}},{"s":{"id":"b2","size":null},"s2":{"id":"b"}},{}]}',
      ],
      [
        'a key that is given to another field of one type',
        '{ node { ... on A { w: extra { id } } ... on B { w: extra { id } id: extra { p(k: 1) } } } }',
        '{"node":{"w":{"id":"xb"},"id":{"p":1}}}',
      ],
      [
        'keys exchanged between two fields',
        '{ things { ... on A { n: size size: n } ... on B { other { owner { size: n n: size } } } } }',
        '{"things":[{"n":8,"size":1},{"other":{"owner":{"size":1,"n":8}}},{}]}',
      ],
      [
        'fragments on a union and an interface that overlap',
        '{ things { ...F ...G } } fragment F on Thing { ... on Node { k: id } ... on A { k2: id } } fragment G on Node { k2: id ... on B { extra { id } } }',
        '{"things":[{"k":"a","k2":"a"},{"k":"b","k2":"b","extra":{"id":"xb"}},{}]}',
      ],
    ])('returns %s', async (_name, query, data) => {
      expect(await gateway.text(query)).toBe(`{"data":${data}}`);
    });

    it('rejects fields that cannot be merged, as graphql-js does', async () => {
      const { data, errors } = await gateway.run('{ things { ... on A { x: name } ... on B { x: title } } }');
      expect(data).toBeUndefined();
      expect(errors?.[0]?.message).toContain(
        'conflict because they return conflicting types "String" and "String!"',
      );
    });
  },
);

describe.each(['native', 'fallback'] as const)(
  'introspection with data and several operations, by the %s planner',
  (planner) => {
    const a = testSubgraph({
      name: 'a',
      sdl: 'type Query { jobs: [Job] one: Int } type Mutation { go: Job } type Job @key(fields: "id") { id: ID! state: State } enum State { X Y }',
      resolvers: { Query: { jobs: () => [{ id: 1 }], one: () => 1 }, Mutation: { go: () => ({ id: 2 }) } },
    });
    const b = testSubgraph({
      name: 'b',
      sdl: 'type Query { two(k: Int = 2): Int } type Job @key(fields: "id") { id: ID! more: Int }',
      resolvers: { Query: { two: (_: unknown, { k }: Source) => k }, Job: { more: () => 9 } },
    });
    let gateway: TestEngine;
    beforeAll(async () => {
      gateway = await createTestEngine([a, b], { planner });
    });
    afterAll(() => gateway.close());

    const mixed =
      'query ($n: String!, $s: Boolean!) { z: two s: __schema @include(if: $s) { queryType { n: name } mutationType { name } } jobs { more t: __typename } ...F } fragment F on Query { t: __type(name: $n) { ...G } __typename u: __typename } fragment G on __Type { enumValues { name } kind }';
    it.each<[string, string, Record<string, unknown>, string]>([
      [
        'under aliases, in fragments, with variables',
        mixed,
        { n: 'State', s: true },
        '{"z":2,"s":{"queryType":{"n":"Query"},"mutationType":{"name":"Mutation"}},"jobs":[{"more":9,"t":"Job"}],"t":{"enumValues":[{"name":"X"},{"name":"Y"}],"kind":"ENUM"},"__typename":"Query","u":"Query"}',
      ],
      [
        'switched off, and of a type that is not there',
        mixed,
        { n: 'Nope', s: false },
        '{"z":2,"jobs":[{"more":9,"t":"Job"}],"t":null,"__typename":"Query","u":"Query"}',
      ],
      [
        'selected twice, in fragments on the root',
        '{ ... { __schema { queryType { name } } } ... on Query { __schema { queryType { kind } } two } }',
        {},
        '{"__schema":{"queryType":{"name":"Query","kind":"OBJECT"}},"two":2}',
      ],
      [
        'in a mutation, by the name of its root',
        'mutation { t: __typename go { more } }',
        {},
        '{"t":"Mutation","go":{"more":9}}',
      ],
      [
        'nothing of federation is seen',
        '{ a: __type(name: "_Entity") { name } b: __type(name: "join__Graph") { name } one }',
        {},
        '{"a":null,"b":null,"one":1}',
      ],
    ])('returns %s', async (_name, query, variables, data) => {
      expect(await gateway.text(query, variables)).toBe(`{"data":${data}}`);
    });

    it('keeps variables and fragments of the operations of a document apart', async () => {
      const query = `
      query A($k: Int!) { two(k: $k) ...F }
      query B($k: String!) { t: __type(name: $k) { name } jobs { ...J } }
      mutation C { go { ...J } }
      fragment F on Query { one }
      fragment J on Job { more }
    `;
      const run = (operationName: string, k: unknown): Promise<string> =>
        gateway.text(query, { k }, { operationName });
      expect(await run('A', 7)).toBe('{"data":{"two":7,"one":1}}');
      expect(await run('B', 'Job')).toBe('{"data":{"t":{"name":"Job"},"jobs":[{"more":9}]}}');
      expect(await run('C', null)).toBe('{"data":{"go":{"more":9}}}');
      const { errors } = await gateway.run(query, {}, { operationName: 'D' });
      expect(errors?.[0]?.extensions['code']).toBe('OPERATION_RESOLUTION_FAILURE');
    });
  },
);

describe.each(['native', 'fallback'] as const)(
  'mutations of several subgraphs, by the %s planner',
  (planner) => {
    const log: string[] = [];
    const service = (name: string): TestSubgraph => {
      const noted =
        <T>(field: string, value: () => T) =>
        async (): Promise<T> => {
          log.push(`${field} begins`);
          // Other calls would interleave if they could.
          await new Promise(setImmediate);
          log.push(`${field} ends`);
          return value();
        };
      return testSubgraph({
        name,
        sdl: `
        ${name === 'a' ? 'type Query { q: Int }' : ''}
        type Mutation { ${name}Ok: Job ${name}Bad: Job ${name}Strict: Job! }
        type Job @key(fields: "id") { id: ID! ${name}: Int }
      `,
        resolvers: {
          Mutation: {
            [`${name}Ok`]: noted(`${name}Ok`, () => ({ id: name })),
            [`${name}Bad`]: noted(`${name}Bad`, () => {
              throw new Error(`${name} will not`);
            }),
            [`${name}Strict`]: noted(`${name}Strict`, () => null),
          },
          Job: { [name]: ({ id }: Source) => noted(`${String(id)}.${name}`, () => 1)() },
        },
      });
    };
    let gateway: TestEngine;
    beforeAll(async () => {
      gateway = await createTestEngine(['a', 'b', 'c'].map(service), { planner });
    });
    afterAll(() => gateway.close());
    beforeEach(() => {
      log.length = 0;
    });
    const inOrder = (...fields: string[]): string[] =>
      fields.flatMap((field) => [`${field} begins`, `${field} ends`]);

    it('runs a mutation with all its fetches before the next one and continues after errors', async () => {
      const { data, errors } = await gateway.run('mutation { aOk { b } bBad { c } cOk { a } x: aOk { c } }');
      expect(data).toEqual({ aOk: { b: 1 }, bBad: null, cOk: { a: 1 }, x: { c: 1 } });
      expect(errors?.map(({ path, message }) => [path, message])).toEqual([[['bBad'], 'b will not']]);
      expect(log).toEqual(inOrder('aOk', 'a.b', 'bBad', 'cOk', 'c.a', 'aOk', 'a.c'));
    });

    it('stops after a non-null mutation that returned null', async () => {
      const { data, errors } = await gateway.run(
        'mutation { aOk { id } bBad { id } bOk { a } bStrict { id } cOk { id } }',
      );
      expect(data).toBeNull();
      expect(errors?.map(({ path }) => path)).toEqual([['bBad'], ['bStrict']]);
      expect(log).toEqual(inOrder('aOk', 'bBad', 'bOk', 'b.a', 'bStrict'));
    });

    it('calls once for a key in several fragments, in document order, and never for a skipped one', async () => {
      const query =
        'mutation ($s: Boolean!) { x: aOk { b } bOk @skip(if: $s) { id } ... on Mutation { y: cOk { ...F } } ...M } fragment F on Job { a } fragment M on Mutation { x: aOk { id } bBad { id } }';
      const { data } = await gateway.run(query, { s: true });
      expect(data).toEqual({ x: { b: 1, id: 'a' }, y: { a: 1 }, bBad: null });
      expect(log).toEqual(inOrder('aOk', 'a.b', 'cOk', 'c.a', 'bBad'));
    });
  },
);
