import { describe, expect, it } from '@jest/globals';
import { Kind, parse } from 'graphql';
import { copyOf, mergeInto, type MergeShape, shapeOf, withRenamedKey } from './merge.js';
import { TypeRelations } from '../supergraph/type-relations.js';

function shape(selection: string): MergeShape {
  const [node] = parse(selection).definitions;
  if (node?.kind !== Kind.OPERATION_DEFINITION) throw new Error('no operation');
  return shapeOf([node.selectionSet], new Map());
}

function merged(
  target: Record<string, unknown>,
  source: Record<string, unknown>,
  selection: string,
): unknown {
  mergeInto(target, source, shape(selection));
  return target;
}

it.each([
  ['a type is not made an interface again by a service that knows no more', 'Film', 'Media', 'Film'],
  ['an interface is made a type', 'Media', 'Film', 'Film'],
  ['another type wins, as any later answer does', 'Film', 'Song', 'Song'],
])('keeps or replaces the type: %s', (_name, known, received, expected) => {
  const relations = new TypeRelations({ Media: ['Film', 'Song'] });
  const item = (name: string) => ({ l: [[{ __typename: name }]] });
  const target = { __typename: known, ...item(known) };
  mergeInto(
    target,
    { __typename: received, ...item(received) },
    shape('{ __typename l { __typename } }'),
    relations,
  );
  expect(target).toEqual({ __typename: expected, ...item(expected) });
});

describe('mergeInto', () => {
  it.each([
    ['a key that every object has is there only when it came', {}, {}, '{ constructor }', {}],
    ['or came as null', {}, { toString: null }, '{ toString }', { toString: null }],
    ['new keys are added', { a: 1 }, { b: 2 }, '{ b }', { a: 1, b: 2 }],
    ['objects are merged', { o: { a: 1 } }, { o: { b: 2 } }, '{ o { b } }', { o: { a: 1, b: 2 } }],
    [
      'lists are merged by index',
      { l: [{ a: 1 }, { a: 2 }] },
      { l: [{ b: 1 }, { b: 2 }] },
      '{ l { b } }',
      {
        l: [
          { a: 1, b: 1 },
          { a: 2, b: 2 },
        ],
      },
    ],
    [
      'lists of lists, too',
      { l: [[{ a: 1 }], null] },
      { l: [[{ b: 1 }], null] },
      '{ l { b } }',
      { l: [[{ a: 1, b: 1 }], null] },
    ],
    ['null does not replace an object', { o: { a: 1 } }, { o: null }, '{ o { b } }', { o: { a: 1 } }],
    ['null does not replace an item', { l: [{ a: 1 }] }, { l: [null] }, '{ l { b } }', { l: [{ a: 1 }] }],
    ['an object replaces null', { o: null }, { o: { b: 1 } }, '{ o { b } }', { o: { b: 1 } }],
    [
      'a later type name wins',
      { __typename: 'Node', id: 1 },
      { __typename: 'Job' },
      '{ __typename }',
      { __typename: 'Job', id: 1 },
    ],
    ['keys that were not asked for are left out', { a: 1 }, { b: 2, c: 3 }, '{ b }', { a: 1, b: 2 }],
    [
      'a key in fragments of two types',
      { o: { a: 1 } },
      { o: { b: 2 } },
      '{ ... on A { o { b } } ... on B { o { c } } }',
      { o: { a: 1, b: 2 } },
    ],
  ])('merges %s', (_name, target, source, selection, expected) => {
    expect(merged(target, source, selection)).toEqual(expected);
  });

  it('takes an object that is a scalar as it is and never changes it', () => {
    const live = { inner: { a: 1 } };
    const target = { json: live };
    mergeInto(target, { json: { inner: { b: 2 } } }, shape('{ json }'));
    expect(live).toEqual({ inner: { a: 1 } });
    expect(target.json).toEqual({ inner: { b: 2 } });
  });

  it('copies everything except leaves', () => {
    const json = { any: 1 };
    const original = { o: { l: [{ json }] } };
    const copy = copyOf(original, shape('{ o { l { json } } }')) as typeof original;
    expect(copy).toEqual(original);
    expect(copy.o).not.toBe(original.o);
    expect(copy.o.l[0]).not.toBe(original.o.l[0]);
    expect(copy.o.l[0]?.json).toBe(json);
  });

  it('stores a renamed key under both names at every shared path', () => {
    const renamed = withRenamedKey(shape('{ o { _internal { a } } }'), ['o', '_internal'], 'shown');
    const target = { o: { shown: { b: 2 } } };
    mergeInto(target, { o: { shown: { a: 1 } } }, renamed);
    expect(target).toEqual({ o: { shown: { b: 2, a: 1 } } });
  });
});
