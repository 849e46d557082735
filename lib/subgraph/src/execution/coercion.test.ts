import { describe, expect, it } from '@jest/globals';
import type { GraphQLScalarType } from 'graphql';
import { buildSchema, type OperationDefinitionNode, parse } from 'graphql';
import { getVariableValues } from 'graphql/execution/values.js';
import { compileCoercion } from './coercion.js';

const schema = buildSchema(`
  scalar Moment
  enum Phase { HALF WHOLE }
  input Choice @oneOf { id: ID name: String }
  input Item {
    id: ID!
    phase: Phase! = WHOLE
    size: Int = 3
    weight: Float
    at: Moment
    tags: [String!]! = ["a"]
    grid: [[Int!]]
    choice: Choice
    inner: Item
  }
  input Odd { constructor: String }
  type Query { echo(item: Item, items: [Item!], count: Int, flag: Boolean, phase: Phase, grid: [[Int!]], text: String, odd: Odd): String }
`);
const moment = schema.getType('Moment') as GraphQLScalarType;
moment.parseValue = (value) => {
  if (typeof value !== 'string' || Number.isNaN(Date.parse(value))) throw new TypeError('no moment');
  return new Date(value);
};

const [definition] = parse(`
  query ($item: Item!, $items: [Item!] = [{ id: "d", size: 9 }], $count: Int! = 5, $flag: Boolean, $phase: Phase, $grid: [[Int!]], $text: String, $odd: Odd, $__proto__: Int) {
    echo(item: $item, items: $items, count: $count, flag: $flag, phase: $phase, grid: $grid, text: $text, odd: $odd)
  }
`).definitions as readonly [OperationDefinitionNode];
const compiled = compileCoercion(schema, definition, 3);

/** As plain objects: readers of fields do not notice whether objects have a prototype. */
const plain = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object' || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
};
const plainResult = ({ coerced, errors }: ReturnType<typeof compiled>) => ({
  coerced: plain(coerced),
  keys: coerced && Object.keys(coerced),
  errors: errors?.map(({ message }) => message),
});

/** 500 items, some of which are replaced. */
const many = (others: Readonly<Record<number, unknown>>): unknown[] =>
  Array.from({ length: 500 }, (_, index) => (index in others ? others[index] : { id: `${index}` }));

describe('compiled coercion of variables', () => {
  const item = { id: '1' };
  it.each<[string, Record<string, unknown>]>([
    ['what is right', { item, count: 1, flag: true, phase: 'HALF', text: 'x' }],
    ['defaults', { item }],
    ['nulls', { item: { id: '1', size: null, inner: null }, items: null, flag: null }],
    ['numbers as ids', { item: { id: 7 } }],
    ['scalars with a form of their own', { item: { id: '1', at: '2030-01-01T00:00:00Z' } }],
    ['scalars that are refused', { item: { id: '1', at: 'tomorrow' } }],
    ['nested objects', { item: { id: '1', inner: { id: '2', inner: { id: '3', tags: ['x', 'y'] } } } }],
    ['one item where a list is wanted', { item: { id: '1', tags: 'only' }, items: { id: '2' } }],
    ['lists of lists', { item, grid: [[1, 2], null, []] }],
    ['flat lists where lists of lists are wanted', { item, grid: [1, 2] }],
    ['a null inside a list that has none', { item, grid: [[1, null]] }],
    ['other iterables', { item, items: new Set([{ id: '5' }]) }],
    ['a missing variable', {}],
    ['a null for a non-null variable', { item: null }],
    ['a missing field', { item: {} }],
    ['an unknown field', { item: { id: '1', colour: 'red' } }],
    ['a null for a non-null field', { item: { id: '1', phase: null } }],
    ['a list for an object', { item: [] }],
    ['a text for an object', { item: 'x' }],
    ['a wrong enum value', { item, phase: 'QUARTER' }],
    ['a fraction for an Int', { item, count: 1.5 }],
    ['too large an Int', { item, count: 2 ** 31 }],
    ['a text for a Boolean', { item, flag: 'true' }],
    ['one choice of one', { item: { id: '1', choice: { name: 'x' } } }],
    ['two choices of one', { item: { id: '1', choice: { id: '1', name: 'x' } } }],
    ['no choice of one', { item: { id: '1', choice: {} } }],
    ['a null choice', { item: { id: '1', choice: { id: null } } }],
    ['more errors than are reported', { item: { a: 1, b: 2, c: 3, d: 4, e: 5 } }],
    ['faults far down in long lists', { item, items: many({ 499: { id: '1', size: 'x' }, 300: {} }) }],
    [
      'more of them than are reported',
      { item, items: many({ 1: 1, 120: 2, 130: {}, 140: { id: [] } }), count: 'x' },
    ],
    [
      'a fault in a long list within a fault of a long list',
      { item, grid: [...many({}).map(() => [1]), [...many({}).map(() => 1), 'x']] },
    ],
    ['long lists next to a missing variable', { items: many({ 200: null }) }],
    ['long lists that are right in another way', { item, items: many({ 200: { id: '1', tags: 'only' } }) }],
    ['a field that every object seems to have', { item, odd: {} }],
    ['variables that nobody declared', { item, other: 1 }],
    [
      'names that every object has',
      JSON.parse('{"item":{"id":"1"},"__proto__":4}') as Record<string, unknown>,
    ],
  ])('returns what graphql-js returns for %s', (_what, variables) => {
    const expected = getVariableValues(schema, definition.variableDefinitions ?? [], variables, {
      maxErrors: 3,
    });
    expect(plainResult(compiled(variables))).toEqual(plainResult(expected));
  });

  it('does not pass valid values to graphql-js', () => {
    const { coerced } = compiled({ item: { id: '1', inner: { id: '2' } }, items: [{ id: '3' }] });
    // graphql-js creates objects without a prototype.
    expect(Object.getPrototypeOf(coerced?.['item'])).toBe(Object.prototype);
  });

  it('creates a default for each operation, so that changes to one are not visible in another', () => {
    const items = () => (compiled({ item }).coerced as { items: { size: number }[] }).items;
    const [first] = items();
    if (first) first.size = 0;
    expect(items()[0]?.size).toBe(9);
  });
});
