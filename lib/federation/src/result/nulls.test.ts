import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildSchema, execute, GraphQLError, parse } from 'graphql';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// Null propagation by the public schema, compared with graphql-js on one schema with the same values.

const types = `
  type Item { id: ID! a: Int a1: Int! l: [Int] l1: [Int!] l11: [Int!]! ll: [[Int!]] ll1: [[Int!]!]! o: Item o1: Item! ol: [Item!] ol1: [Item!]! odd: Int e: Kind e1: Kind! s1: String! }
  enum Kind { X Y }
`;

/** Values of an item's fields; `fail` is a resolver that throws. */
const fail = Symbol('fail');
type Values = Readonly<Record<string, unknown>>;

function resolverOf(field: string) {
  return (source: Values): unknown => {
    if (source[field] === fail) throw new GraphQLError(`no ${field}`, { extensions: { code: 'NO_VALUE' } });
    return source[field] === undefined && field.endsWith('1') ? null : source[field];
  };
}

const resolvers = Object.fromEntries(
  ['id', 'a', 'a1', 'l', 'l1', 'l11', 'll', 'll1', 'o', 'o1', 'ol', 'ol1', 'odd', 'e', 'e1', 's1'].map(
    (field) => [field, resolverOf(field)],
  ),
);

let items: Values[] = [];

const left = testSubgraph({
  name: 'left',
  sdl: `type Query { items: [Item!] all: [Item!]! one: Item! maybe: Item } ${types
    .replace('type Item {', 'type Item @key(fields: "id") {')
    .replace('a1: Int! ', '')
    .replace('s1: String!', '')
    .replace(' e1: Kind!', '')}`,
  resolvers: {
    Query: { items: () => items, all: () => items, one: () => items[0], maybe: () => items[0] },
    Item: Object.fromEntries(
      Object.entries(resolvers).filter(([name]) => !['a1', 's1', 'e1'].includes(name)),
    ),
  },
});

const right = testSubgraph({
  name: 'right',
  sdl: 'type Item @key(fields: "id") { id: ID! a1: Int! s1: String! e1: Kind! } enum Kind { X Y }',
  resolvers: {
    Item: {
      a1: ({ id }: Values) => resolverOf('a1')(byId(id)),
      s1: ({ id }: Values) => resolverOf('s1')(byId(id)),
      e1: ({ id }: Values) => resolverOf('e1')(byId(id)),
    },
  },
});

function byId(id: unknown): Values {
  const find = (list: readonly unknown[]): Values | undefined => {
    for (const item of list.flat(9)) {
      if (typeof item !== 'object' || item === null) continue;
      const found = (item as Values)['id'] === id ? (item as Values) : find(Object.values(item));
      if (found) return found;
    }
    return undefined;
  };
  return find(items) ?? {};
}

const whole = buildSchema(`type Query { items: [Item!] all: [Item!]! one: Item! maybe: Item } ${types}`);

async function expected(query: string): Promise<{ data: unknown; places: string[] }> {
  const item = whole.getType('Item') as unknown as { getFields(): Record<string, { resolve?: unknown }> };
  for (const [name, field] of Object.entries(item.getFields())) field.resolve = resolvers[name];
  const result = await execute({
    schema: whole,
    document: parse(query),
    rootValue: { items, all: items, one: items[0], maybe: items[0] },
  });
  return { data: result.data, places: (result.errors ?? []).map(({ path }) => String(path)).sort() };
}

describe('null propagation by the public schema', () => {
  let gateway: TestEngine;
  beforeAll(async () => {
    gateway = await createTestEngine([left, right]);
  });
  afterAll(() => gateway.close());

  const good = { id: '1', a: 1, a1: 2, s1: 'text', e1: 'X' };

  it.each<[string, Values[], string]>([
    ['a null that may be', [{ ...good, a: null }], '{ items { a } }'],
    [
      'a null that may not be, in an item that may not be null',
      [good, { ...good, id: '2', a1: null }],
      '{ items { id a1 } }',
    ],
    ['the same in a list that may not be null', [good, { ...good, id: '2', a1: null }], '{ all { id a1 } }'],
    ['an error of a field that may be null', [{ ...good, a: fail }], '{ items { a id } }'],
    ['an error of a field that may not', [{ ...good, a1: fail }], '{ maybe { id a1 } }'],
    ['an error up to the root', [{ ...good, a1: fail }], '{ one { id a1 } }'],
    ['items that may be null', [{ ...good, l: [1, null, 2] }], '{ items { l } }'],
    ['items that may not be, in a list that may', [{ ...good, l1: [1, null, 2] }], '{ items { l1 id } }'],
    ['neither may be', [{ ...good, l11: [1, null, 2] }], '{ items { l11 id } maybe { id } }'],
    ['lists of lists', [{ ...good, ll: [[1], null, [2, null]] }], '{ items { ll } }'],
    [
      'lists of lists that may not be null',
      [{ ...good, ll1: [[1], [null]] }],
      '{ maybe { ll1 } items { id } }',
    ],
    [
      'a deep null, caught on its way',
      [{ ...good, o: { ...good, id: '2', o: { ...good, id: '3', a1: null } } }],
      '{ items { o { id o { id a1 } } } }',
    ],
    [
      'a deep null, not caught',
      [{ ...good, ol1: [{ ...good, id: '2', o1: { ...good, id: '3', a1: null } }] }],
      '{ items { ol1 { o1 { a1 } } } }',
    ],
    [
      'a null in a list of objects of another service',
      [
        {
          ...good,
          ol: [
            { ...good, id: '2' },
            { ...good, id: '3', s1: null },
          ],
        },
      ],
      '{ items { id ol { id s1 } } }',
    ],
    [
      'two nulls in two branches',
      [{ ...good, o: { ...good, id: '2', a1: null }, ol: [{ ...good, id: '3', s1: fail }] }],
      '{ items { x: o { a1 } y: ol { s1 } a } }',
    ],
    ['an empty list', [{ ...good, ol: [], l11: [] }], '{ items { ol { a1 } l11 } }'],
    ['an enum value that is none', [{ ...good, e: 'Z' }], '{ items { e id } }'],
  ])('handles %s', async (_name, given, query) => {
    items = given;
    const [text, theirs] = [await gateway.text(query), await expected(query)];
    const ours = JSON.parse(text) as { data: unknown; errors?: { path: unknown[] }[] };
    expect(JSON.stringify(ours.data)).toBe(JSON.stringify(theirs.data));
    expect((ours.errors ?? []).map(({ path }) => String(path)).sort()).toEqual(theirs.places);
  });

  it('reports an error for each response key of a field', async () => {
    items = [{ ...good, a: fail }];
    const answer = await gateway.run('{ items { x: a y: a id } }');
    expect(answer.errors?.map(({ path, extensions }) => [path, extensions['code']])).toEqual([
      [['items', 0, 'x'], 'NO_VALUE'],
      [['items', 0, 'y'], 'NO_VALUE'],
    ]);
  });
});

describe('values that do not fit their type', () => {
  /** A subgraph that returns the values it is given, whether or not they fit their types. */
  const fields =
    'int: Int float: Float string: String boolean: Boolean id: ID list: [Int] object: Thing any: Any';
  const schemaSdl = `type Query { thing: Thing } type Thing { ${fields} } scalar Any`;
  let values: Values = {};
  let gateway: TestEngine;
  beforeAll(async () => {
    const liar = testSubgraph({ name: 'liar', sdl: schemaSdl });
    gateway = await createTestEngine([liar], {
      transports: () => ({
        wire: 'objects',
        execute: async () => ({ data: { thing: structuredClone(values) as Record<string, unknown> } }),
        subscribe: () => {
          throw new Error('no subscriptions');
        },
        close: async () => {},
      }),
    });
  });
  afterAll(() => gateway.close());

  it.each<[string, unknown, unknown]>([
    ['int', '1', 'error'],
    ['int', 1.5, 'error'],
    ['int', 2 ** 31, 'error'],
    ['int', -(2 ** 31), -(2 ** 31)],
    ['float', 'x', 'error'],
    ['float', 3, 3],
    ['string', 5, 'error'],
    ['string', { a: 1 }, 'error'],
    ['boolean', 'true', 'error'],
    ['boolean', false, false],
    ['id', 7, '7'],
    ['id', true, 'error'],
    ['list', 1, 'error'],
    ['list', [1, null], [1, null]],
    ['object', 'text', 'error'],
    ['object', [{ int: 1 }], 'error'],
    ['any', { deep: [1, { x: null }] }, { deep: [1, { x: null }] }],
    ['any', 'text', 'text'],
  ])('returns the value or an error for %s: %j', async (name, value, shown) => {
    values = { [name]: value };
    const answer = await gateway.run(
      name === 'object' ? '{ thing { object { int } } }' : `{ thing { ${name} } }`,
    );
    expect(answer.data).toEqual({ thing: { [name]: shown === 'error' ? null : shown } });
    expect(answer.errors?.map(({ path, extensions }) => [path, extensions['code']])).toEqual(
      shown === 'error' ? [[['thing', name], 'DOWNSTREAM_SERVICE_ERROR']] : undefined,
    );
  });

  it('treats a missing key that every JavaScript object has as missing', async () => {
    values = {};
    expect(await gateway.text('{ thing { constructor: int toString: string } }')).toBe(
      '{"data":{"thing":{"constructor":null,"toString":null}}}',
    );
  });

  it('reports no missing key in addition to the error of another field', async () => {
    values = { int: 'no number' };
    const answer = await gateway.run('{ thing { int constructor: int toString: string } }');
    expect(answer.errors?.map(({ path }) => path)).toEqual([['thing', 'int']]);
  });
});
