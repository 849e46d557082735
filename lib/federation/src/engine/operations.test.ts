import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GraphQLError, parse } from 'graphql';
import { type TestEngine, createTestEngine, tester } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// Everything around a plan: variables, conditions, introspection, several operations, mutations in order,
// caches.

type Source = Readonly<Record<string, unknown>>;
const log: string[] = [];

const core = testSubgraph({
  name: 'core',
  sdl: `
    type Query { jobs(n: Int = 2, filter: Filter, kind: Kind = A, tags: [String!] = ["d"]): [Job!]! echo(filter: Filter, tags: [String]): String }
    type Mutation { rename(id: ID!, name: String!): Job touch: Int }
    type Job @key(fields: "id") { id: ID! name: String }
    input Filter { name: String = "all", deep: Filter, list: [Int!] }
    enum Kind { A B }
  `,
  resolvers: {
    Query: {
      jobs: (_: unknown, { n }: { n: number }) =>
        Array.from({ length: n }, (__, index) => ({ id: `${index}` })),
      echo: (_: unknown, args: Source) => JSON.stringify(args),
    },
    Mutation: {
      rename: (_: unknown, { id, name }: Source) => {
        log.push(`rename ${String(name)}`);
        return { id, name };
      },
      touch: () => log.push('touch'),
    },
    Job: { name: ({ id, name }: Source) => name ?? `job ${String(id)}` },
  },
});
const alpha = testSubgraph({
  name: 'alpha',
  sdl: 'type Job @key(fields: "id") { id: ID! alpha(n: Int = 5): Int } type Mutation { alphaTouch: Int }',
  resolvers: {
    Job: {
      alpha: async ({ id }: Source, { n }: Source) => {
        await new Promise((resolve) => setImmediate(resolve));
        log.push(`alpha of ${String(id)}`);
        return n;
      },
    },
    Mutation: { alphaTouch: () => log.push('alphaTouch') },
  },
});

describe('engine.execute', () => {
  let gateway: TestEngine;
  beforeAll(async () => {
    gateway = await createTestEngine([core, alpha]);
  });
  afterAll(() => gateway.close());

  it.each<[string, string, Record<string, unknown>, string]>([
    ['defaults of arguments', '{ jobs { id } }', {}, '{"jobs":[{"id":"0"},{"id":"1"}]}'],
    [
      'variables',
      'query ($n: Int!) { jobs(n: $n) { id alpha(n: $n) } }',
      { n: 1 },
      '{"jobs":[{"id":"0","alpha":1}]}',
    ],
    [
      'defaults of variables',
      'query ($n: Int = 1) { jobs(n: $n) { alpha(n: $n) } }',
      {},
      '{"jobs":[{"alpha":1}]}',
    ],
    [
      'a variable left out lets the argument have its default',
      'query ($n: Int) { jobs(n: 1) { alpha(n: $n) } }',
      {},
      '{"jobs":[{"alpha":5}]}',
    ],
    [
      'null is not the same',
      'query ($n: Int) { jobs(n: 1) { alpha(n: $n) } }',
      { n: null },
      '{"jobs":[{"alpha":null}]}',
    ],
    [
      'input objects, with defaults, variables inside',
      'query ($t: [String], $l: [Int!]) { echo(filter: { deep: { list: $l } }, tags: $t) }',
      { t: ['"x"', null], l: 3 },
      '{"echo":"{\\"filter\\":{\\"name\\":\\"all\\",\\"deep\\":{\\"name\\":\\"all\\",\\"list\\":[3]}},\\"tags\\":[\\"\\\\\\"x\\\\\\"\\",null]}"}',
    ],
    [
      'a whole input by variable',
      'query ($f: Filter) { echo(filter: $f) }',
      { f: { name: null, list: [1] } },
      '{"echo":"{\\"filter\\":{\\"name\\":null,\\"list\\":[1]}}"}',
    ],
    ['variables nobody declared are ignored', '{ jobs(n: 0) { id } }', { other: 1 }, '{"jobs":[]}'],
    [
      '@skip and @include on fields',
      'query ($a: Boolean!, $b: Boolean = true) { jobs(n: 1) { id @skip(if: $a) name @include(if: $b) alpha @include(if: $a) } }',
      { a: false },
      '{"jobs":[{"id":"0","name":"job 0"}]}',
    ],
    [
      'the other way round',
      'query ($a: Boolean!, $b: Boolean = true) { jobs(n: 1) { id @skip(if: $a) name @include(if: $b) alpha @include(if: $a) } }',
      { a: true, b: false },
      '{"jobs":[{"alpha":5}]}',
    ],
    [
      'both on one field',
      'query ($a: Boolean!) { jobs(n: 1) { id @skip(if: $a) @include(if: $a) name } }',
      { a: true },
      '{"jobs":[{"name":"job 0"}]}',
    ],
    [
      'on fragments',
      'query ($a: Boolean!) { jobs(n: 1) { ...F @include(if: $a) ... @skip(if: $a) { name } id } } fragment F on Job { alpha id }',
      { a: true },
      '{"jobs":[{"alpha":5,"id":"0"}]}',
    ],
    [
      'at the root',
      'query ($a: Boolean!) { jobs(n: 1) @skip(if: $a) { id } ... @include(if: $a) { echo } }',
      { a: true },
      '{"echo":"{}"}',
    ],
    ['nothing left', 'query ($a: Boolean!) { jobs @include(if: $a) { id } }', { a: false }, '{}'],
    [
      'nothing left of an object',
      'query ($a: Boolean!) { jobs(n: 1) { id @include(if: $a) } }',
      { a: false },
      '{"jobs":[{}]}',
    ],
    [
      'one field in two conditional fragments',
      'query ($a: Boolean!) { jobs(n: 1) { ... @include(if: $a) { id } ... @skip(if: $a) { id name } } }',
      { a: false },
      '{"jobs":[{"id":"0","name":"job 0"}]}',
    ],
    ['the type of the root', '{ __typename t: __typename }', {}, '{"__typename":"Query","t":"Query"}'],
    [
      'the schema alone',
      '{ __schema { queryType { name } } }',
      {},
      '{"__schema":{"queryType":{"name":"Query"}}}',
    ],
    [
      'the schema among data, by variables and fragments',
      'query ($t: String!, $x: Boolean!) { jobs(n: 1) { id } ...S @include(if: $x) echo } fragment S on Query { k: __type(name: $t) { kind } none: __type(name: "None") { name } }',
      { t: 'Kind', x: true },
      '{"jobs":[{"id":"0"}],"k":{"kind":"ENUM"},"none":null,"echo":"{}"}',
    ],
    [
      '@defer is answered at once',
      '{ jobs(n: 1) { id ... @defer { name } } }',
      {},
      '{"jobs":[{"id":"0","name":"job 0"}]}',
    ],
  ])('answers %s', async (_name, query, variables, data) => {
    const text = await gateway.text(query, variables);
    expect(text.replace(/,"extensions":\{"notices.*\}\}$/, '}')).toBe(`{"data":${data}}`);
  });

  it('says so when it answers @defer at once', async () => {
    expect((await gateway.run('{ jobs(n: 1) { id ... @defer { name } } }')).extensions).toEqual({
      notices: [expect.stringContaining('@defer')],
    });
  });

  it.each<[string, string, Record<string, unknown>, string]>([
    ['a value of another type', 'query ($n: Int) { jobs(n: $n) { id } }', { n: 'x' }, 'BAD_USER_INPUT'],
    ['a variable that is missing', 'query ($n: Int!) { jobs(n: $n) { id } }', {}, 'BAD_USER_INPUT'],
    [
      'a field of an input that does not exist',
      'query ($f: Filter) { echo(filter: $f) }',
      { f: { nope: 1 } },
      'BAD_USER_INPUT',
    ],
    ['no GraphQL', '{ jobs { id }', {}, 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', '{ nope }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['a subscription', 'subscription { nope }', {}, 'GRAPHQL_VALIDATION_FAILED'],
  ])('rejects %s before anything runs', async (_name, query, variables, code) => {
    const answer = await gateway.engine.execute({ query, variables, principal: tester, requestId: 'r7' });
    expect(answer).toMatchObject({ outcome: 'rejected', codes: [code] });
    const { errors } = JSON.parse(answer.text) as { errors: { extensions: Source }[] };
    expect(errors[0]?.extensions).toMatchObject({ code, requestId: 'r7', retry: 'never' });
    expect(answer.text).not.toContain('"data"');
  });

  it('rejects a request without a document', async () => {
    expect(await gateway.engine.execute({ requestId: 'r1' })).toMatchObject({
      outcome: 'rejected',
      codes: ['BAD_REQUEST'],
    });
  });

  it('runs the named operation of several and ignores the fragments of the others', async () => {
    const query =
      'query A { ...X } query B { ...Y } fragment X on Query { jobs(n: 1) { id } } fragment Y on Query { echo }';
    const run = (operationName: string | null): Promise<string> => gateway.text(query, {}, { operationName });
    expect(await run('B')).toBe('{"data":{"echo":"{}"}}');
    expect(await run('A')).toBe('{"data":{"jobs":[{"id":"0"}]}}');
    expect(await run(null)).toContain('OPERATION_RESOLUTION_FAILURE');
    expect(await run('C')).toContain('OPERATION_RESOLUTION_FAILURE');
  });

  it('runs mutations in order, each to its end', async () => {
    log.length = 0;
    const text = await gateway.text(
      'mutation ($x: Boolean!) { ... @include(if: $x) { touch } a: rename(id: "a", name: "first") { alpha } alphaTouch b: rename(id: "b", name: "second") { name alpha } touch }',
      { x: false },
    );
    expect(log).toEqual(['rename first', 'alpha of a', 'alphaTouch', 'rename second', 'alpha of b', 'touch']);
    expect(text).toBe('{"data":{"a":{"alpha":5},"alphaTouch":3,"b":{"name":"second","alpha":5},"touch":6}}');
  });

  it('knows the facts about an operation before it runs', async () => {
    const prepared = await gateway.engine.prepare({ query: 'mutation M { touch }', requestId: 'r1' });
    expect(prepared).toMatchObject({
      ok: true,
      operation: { kind: 'mutation', name: 'M', perPrincipal: false, resumable: undefined },
    });
  });

  it('shares the normalised text between spellings of one operation', async () => {
    const of = async (query: string): Promise<unknown> => {
      const prepared = await gateway.engine.prepare({ query, requestId: 'r1' });
      return prepared.ok && prepared.operation;
    };
    const one = await of('query Q { jobs { id } }');
    expect(one).toBeTruthy();
    expect(await of('query Q {\n  # the same\n  jobs { id, }\n}')).toBe(one);
    expect(await of('query Q { jobs { name } }')).not.toBe(one);
  });

  it('accepts a parsed document', async () => {
    const document = parse('{ echo }');
    const run = (): Promise<{ text: string }> =>
      gateway.engine.execute({ document, principal: tester, requestId: 'r1' });
    expect((await run()).text).toBe('{"data":{"echo":"{}"}}');
    expect((await run()).text).toBe('{"data":{"echo":"{}"}}');
  });

  it('runs custom checks once per operation and rejects what they report', async () => {
    let asked = 0;
    const checked = await createTestEngine([core, alpha], {
      checks: [
        ({ document }) => {
          asked++;
          return JSON.stringify(document).includes('alpha')
            ? [new GraphQLError('too dear', { extensions: { cost: 9 } })]
            : [];
        },
      ],
    });
    for (let round = 0; round < 2; round++) {
      expect(await checked.run('{ jobs { alpha } }')).toMatchObject({
        errors: [{ message: 'too dear', extensions: { code: 'OPERATION_TOO_COMPLEX', cost: 9 } }],
      });
      expect(await checked.text('{ echo }')).toBe('{"data":{"echo":"{}"}}');
    }
    expect(asked).toBe(2);
    await checked.close();
  });

  it('disables introspection on request', async () => {
    const closed = await createTestEngine([core, alpha], { introspection: false });
    expect(await closed.text('{ echo __schema { types { name } } }')).toContain('Introspection is disabled');
    expect(await closed.text('{ __typename echo }')).toBe('{"data":{"__typename":"Query","echo":"{}"}}');
    await closed.close();
  });

  it('keeps the cache within its bound after a thousand different operations', async () => {
    const small = await createTestEngine([core, alpha], { limits: { cachedOperations: 10 } });
    for (let index = 0; index < 60; index++)
      expect(await small.text(`{ a${index}: echo }`)).toBe(`{"data":{"a${index}":"{}"}}`);
    expect(await small.text('{ a0: echo }')).toBe('{"data":{"a0":"{}"}}');
    await small.close();
  });

  it('caches answers to introspection unless variables change them', async () => {
    const ask = (query: string, variables?: Record<string, unknown>) =>
      gateway.engine.execute({ query, variables, principal: tester, requestId: 'r1' });
    const query = '{ __schema { queryType { name } } __typename }';
    expect(await ask(query)).toBe(await ask(query));
    const typed = 'query ($name: String!) { __type(name: $name) { kind } }';
    const texts = await Promise.all(['Job', 'Kind'].map((name) => ask(typed, { name })));
    expect(texts.map(({ text }) => text)).toEqual([
      '{"data":{"__type":{"kind":"OBJECT"}}}',
      '{"data":{"__type":{"kind":"ENUM"}}}',
    ]);
  });

  it('requests one plan for concurrent equal operations', async () => {
    const texts = await Promise.all(
      Array.from({ length: 50 }, () => gateway.text('query Many { jobs(n: 1) { name alpha } }')),
    );
    expect(new Set(texts)).toEqual(new Set(['{"data":{"jobs":[{"name":"job 0","alpha":5}]}}']));
  });
});

it('rejects a variable that cannot be serialised instead of omitting it', async () => {
  const box = testSubgraph({ name: 'box', sdl: 'type Query { any(value: JSON): Int } scalar JSON' });
  let asked = 0;
  const gateway = await createTestEngine([box], {
    transports: () => ({
      wire: 'text',
      execute: () => {
        asked++;
        return Promise.resolve({ data: { any: 1 } });
      },
      subscribe: () => {
        throw new Error('there are no subscriptions here');
      },
      close: () => Promise.resolve(),
    }),
  });
  const circle: Record<string, unknown> = {};
  circle['circle'] = circle;
  const query = 'query ($value: JSON) { any(value: $value) }';
  const refused = await gateway.run(query, { value: circle });
  expect(refused.errors?.map(({ extensions: { code, field } }) => [code, field])).toEqual([
    ['BAD_USER_INPUT', 'value'],
  ]);
  expect(asked).toBe(0);
  expect(await gateway.run(query, { value: undefined })).toEqual({ data: { any: 1 } });
  await gateway.close();
});
