import { describe, expect, it } from '@jest/globals';
import { buildSchema, getOperationAST, parse } from 'graphql';
import type { OperationInfo } from '@rhizome/federation';
import { assertAffordable, costOf } from './cost.js';

const schema = buildSchema(`
  directive @weight(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
  directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION
  type Query {
    node: Node
    plain: [Node!]!
    paged(first: Int = 20, last: Int): [Node!]!
    connection(first: Int = 20): Connection!
    sized(count: Int, by: Page): [Node!]! @listSize(slicingArguments: ["count", "by.size"])
    either(count: Int): [Node!]! @listSize(slicingArguments: ["count"], assumedSize: 7)
    assumed: [Node!]! @listSize(assumedSize: 3)
    declared(n: Int): Declared! @listSize(slicingArguments: ["n"], sizedFields: ["rows"], requireOneSlicingArgument: false)
    byIds(ids: [ID!]!): [Node!]! @listSize(slicingArguments: ["ids"])
    search(text: String @weight(weight: 4)): String @weight(weight: 6)
    heavy: Heavy
    matrix: [[Node!]!]!
    any: [Any!]!
  }
  type Mutation { touch(input: Touch!): Node  touchAll: [Node!]! }
  type Subscription { changed: Node }
  type Node { id: ID! name: String node: Node nodes: [Node!]! priced: Int @weight(weight: 9) }
  type Connection { nodes: [Node!]! edges: [Edge!]! total: Int others: [Node!]! }
  type Edge { node: Node! }
  type Declared { rows: [Node!]! columns: [Node!]! }
  type Heavy @weight(weight: 50) { id: ID! }
  union Any = Node | Heavy
  input Page { size: Int }
  input Touch { a: Int @weight(weight: 2) more: [Touch!] free: Int }
`);

function info(text: string): OperationInfo {
  const document = parse(text);
  return {
    kind: getOperationAST(document)?.operation ?? 'query',
    name: undefined,
    normalisedText: text,
    document,
    perPrincipal: false,
    resumable: undefined,
  };
}

const cost = (text: string, variables: Record<string, unknown> = {}): number =>
  costOf(info(text), schema, variables, { assumedListSize: 10 });

describe('costOf', () => {
  it.each<[string, string, number]>([
    ['objects are 1, leaves 0', '{ node { id name node { id } } }', 2],
    ['introspection is free', '{ __schema { types { name } } node { __typename } }', 1],
    ['a list of unknown size counts as assumed', '{ plain { node { id } } }', 20],
    ['a list of lists twice', '{ matrix { id } }', 100],
    ['lists multiply', '{ plain { nodes { nodes { id } } } }', 10 + 100 + 1000],
    ['a page has the requested size', '{ paged(first: 3) { node { id } } }', 6],
    ['or as its default', '{ paged { id } }', 20],
    ['the larger of two such arguments counts', '{ paged(first: 3, last: 5) { id } }', 5],
    [
      'a connection applies it to its lists',
      '{ connection(first: 4) { total nodes { node { id } } } }',
      1 + 8,
    ],
    ['and of its edges', '{ connection(first: 4) { edges { node { id } } others { id } } }', 1 + 8 + 10],
    [
      'through a fragment, too',
      '{ connection(first: 4) { ...F } } fragment F on Connection { nodes { id } }',
      5,
    ],
    ['weights of fields override those of types', '{ search(text: "x") node { priced } }', 4 + 6 + 1 + 9],
    ['a weight of a type', '{ heavy { id } }', 50],
    ['the members of a union add up', '{ any { ... on Node { node { id } } ... on Heavy { id } } }', 20],
    ['@listSize: a slicing argument', '{ sized(count: 2) { id } }', 2],
    ['@listSize: within an input', '{ sized(by: { size: 6 }) { id } }', 6],
    ['@listSize: the length of a list', '{ byIds(ids: ["a", "b", "c"]) { id } }', 3],
    ['@listSize: assumed where nothing is given', '{ either { id } assumed { id } }', 10],
    ['@listSize: about lists below', '{ declared(n: 4) { rows { id } columns { id } } }', 1 + 4 + 10],
    ['mutations', 'mutation { touch(input: { free: 1 }) { id } touchAll { id } }', 10 + 1 + 10 + 10],
    [
      'weights within inputs',
      'mutation { touch(input: { a: 1, more: [{ a: 1 }, { a: 2 }] }) { id } }',
      6 + 10 + 1,
    ],
    [
      'a skipped field costs nothing',
      '{ node @skip(if: true) { id } ... @include(if: false) { plain { id } } }',
      0,
    ],
    ['a subscription is one event', 'subscription { changed { node { id } } }', 2],
  ])('computes: %s', (_name, text, expected) => {
    expect(cost(text)).toBe(expected);
  });

  it('follows the variables of a request, and their defaults', () => {
    const text =
      'query ($n: Int = 4, $more: Boolean = false) { paged(first: $n) { id } plain @include(if: $more) { id } }';
    const operation = info(text);
    const of = (variables: Record<string, unknown>) =>
      costOf(operation, schema, variables, { assumedListSize: 10 });
    expect([of({}), of({ n: 7 }), of({ n: 1, more: true }), of({ n: null })]).toEqual([4, 7, 11, 10]);
  });

  it('requires one of the slicing arguments where the schema says so', () => {
    const refused = expect.objectContaining({
      code: 'BAD_USER_INPUT',
      message: expect.stringContaining('exactly one of count, by.size'),
    });
    expect(() => cost('{ sized { id } }')).toThrow(refused);
    expect(() => cost('{ sized(count: 1, by: { size: 2 }) { id } }')).toThrow(refused);
  });

  it('reads fragments that contain each other many times once each', () => {
    const many = Array.from(
      { length: 14 },
      (_, i) => `fragment F${i} on Node { ...F${i + 1} node { ...F${i + 1} } }`,
    );
    expect(cost(`{ node { ...F0 } } ${many.join(' ')} fragment F14 on Node { id }`)).toBe(2 ** 14);
  });

  it('is refused above its limit with the value and the limit', () => {
    expect(() => assertAffordable(11, 10)).toThrow(
      expect.objectContaining({
        code: 'OPERATION_TOO_COMPLEX',
        details: { field: 'cost', value: 11, expected: 'at most 10' },
      }),
    );
    expect(() => assertAffordable(10, 10)).not.toThrow();
  });
});
