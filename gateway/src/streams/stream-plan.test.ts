import { describe, expect, test } from '@jest/globals';
import { buildSchema, parse, print, validate } from 'graphql';
import type { OperationInfo } from '@rhizome/federation';
import { planStream, type StreamPlan } from './stream-plan.js';

const schema = buildSchema(`
  type Query { a: Int }
  type Subscription { changed(filter: F, after: String, mode: Mode): Changed! ticks(every: Int): Tick strict(after: String): Strict! }
  input F { x: Int y: Int }
  type Changed { cursor: String! item: Item at: String }
  type Strict { cursor: String! item: Item! }
  type Item { id: ID! changed(after: String): String }
  type Tick { n: Int }
  enum Mode { EVERY LATEST }
`);

function plan(
  text: string,
  resumable: Partial<NonNullable<OperationInfo['resumable']>> | null = {},
): StreamPlan {
  const document = parse(text);
  const info: OperationInfo = {
    kind: 'subscription',
    name: undefined,
    normalisedText: print(document),
    document,
    perPrincipal: false,
    resumable: resumable
      ? {
          responseKey: 'changed',
          argument: 'after',
          variable: undefined,
          cursorField: 'cursor',
          cursorKey: 'cursor',
          latestArgument: 'mode',
          ...resumable,
        }
      : undefined,
  };
  const made = planStream(info, schema);
  expect(validate(schema, parse(made.text))).toEqual([]);
  return made;
}

describe('slow readers', () => {
  test.each([
    ['subscription { changed(mode: LATEST) { cursor } }', {}, true],
    ['subscription { changed(mode: EVERY) { cursor } }', {}, false],
    ['subscription { changed { cursor } }', {}, false],
    ['subscription ($m: Mode) { changed(mode: $m) { cursor } }', { m: 'LATEST' }, true],
    ['subscription ($m: Mode) { changed(mode: $m) { cursor } }', { m: 'EVERY' }, false],
    ['subscription ($m: Mode = LATEST) { changed(mode: $m) { cursor } }', {}, true],
    ['subscription ($m: Mode = LATEST) { changed(mode: $m) { cursor } }', { m: null }, false],
  ])('are kept where the field is told LATEST: %s with %j', (text, variables, isKept) => {
    expect(plan(text).keepsSlow(variables)).toBe(isKept);
    expect(plan(text, { latestArgument: undefined }).keepsSlow(variables)).toBe(false);
  });

  test('are not kept where a stream cannot go on from a cursor', () => {
    expect(plan('subscription { changed(mode: LATEST) { cursor } }', null).keepsSlow({})).toBe(false);
  });
});

describe('the plan of a resumable stream', () => {
  test.each([
    ['a literal', 'subscription { changed(filter: {x: 1}, after: "c1") { cursor } }', {}, 'c1'],
    [
      'a variable',
      'subscription S($c: String) { changed(filter: {x: 1}, after: $c) { cursor } }',
      { c: 'c2' },
      'c2',
    ],
    [
      'a default',
      'subscription S($c: String = "c3") { changed(filter: {x: 1}, after: $c) { cursor } }',
      {},
      'c3',
    ],
    [
      'null',
      'subscription S($c: String = "c3") { changed(filter: {x: 1}, after: $c) { cursor } }',
      { c: null },
      undefined,
    ],
    ['nothing', 'subscription S { changed(filter: {x: 1}) { cursor } }', {}, undefined],
  ])('the cursor by %s is no part of what is shared', (_by, text, variables, cursor) => {
    const made = plan(text);
    expect(made.cursorOf(variables)).toBe(cursor);
    expect(made.text.replace(/subscription S?/, 'subscription ').replaceAll(/\s+/g, ' ')).toBe(
      'subscription ($goOnAfter: String) { changed(filter: {x: 1}, after: $goOnAfter) { cursor } }',
    );
    expect(made.keyOf(variables)).toBe('{}');
    expect(made.upstreamVariables(variables, 'c9')).toEqual({ goOnAfter: 'c9' });
    expect(made.upstreamVariables(variables, undefined)).toEqual({});
  });

  test('only the root field is fed, also within a fragment; a variable that feeds more is kept', () => {
    const made = plan(`subscription ($c: String, $goOnAfter: Int) { ...F }
      fragment F on Subscription { changed(after: $c, filter: { x: $goOnAfter }) { item { changed(after: $c) } } }`);
    expect(made.text).toContain('changed(filter: {x: $goOnAfter}, after: $goOnAfter_)');
    expect(made.text).toContain('changed(after: $c)');
    expect(made.keyOf({ c: 'x', goOnAfter: 1, unknown: 2 })).toBe('{"c":"x","goOnAfter":1}');
    expect(made.cursorOf({ c: 'x' })).toBe('x');
  });

  test('values are equal whatever the order of their keys', () => {
    const made = plan('subscription ($f: F) { changed(filter: $f) { at } }');
    expect(made.keyOf({ f: { x: 1, y: 2 } })).toBe(made.keyOf({ f: { y: 2, x: 1 } }));
    expect(made.keyOf({ f: { x: 1 } })).not.toBe(made.keyOf({ f: { x: 2 } }));
    expect(made.keyOf({})).not.toBe(made.keyOf({ f: null }));
  });
});

describe('the opening message', () => {
  test('carries the cursor in the shape of the selection and nothing else', () => {
    const made = plan(
      'subscription ($no: Boolean!) { e: changed { __typename ...F item @skip(if: $no) { id } } } fragment F on Changed { at c: cursor }',
      {
        responseKey: 'e',
      },
    );
    expect(made.openingMessage({ no: false }, 'x"y')).toBe(
      '{"data":{"e":{"__typename":"Changed","at":null,"c":"x\\"y","item":null}}}',
    );
    expect(made.openingMessage({ no: true }, 'x')).toBe(
      '{"data":{"e":{"__typename":"Changed","at":null,"c":"x"}}}',
    );
  });

  test('is not made where the payload cannot be empty, or the variables do not fit', () => {
    const strict = (fields: string) =>
      plan(`subscription { strict { ${fields} } }`, { responseKey: 'strict' });
    expect(strict('item { id }').openingMessage({}, 'x')).toBeUndefined();
    expect(strict('cursor').openingMessage({}, 'x')).toBe('{"data":{"strict":{"cursor":"x"}}}');
    const needs = plan('subscription ($f: F!) { changed(filter: $f) { at } }');
    expect(needs.openingMessage({}, 'x')).toBeUndefined();
  });
});

describe('the plan of another stream', () => {
  test('is what the client wrote, shared by its variables', () => {
    const made = plan('subscription ($n: Int) { ticks(every: $n) { n } }', null);
    expect(made.resumable).toBeUndefined();
    expect(made.cursorOf({ n: 1 })).toBeUndefined();
    expect(made.keyOf({ n: 1, other: 2 })).toBe('{"n":1}');
    expect(made.upstreamVariables({ n: 1 }, 'x')).toEqual({ n: 1 });
  });
});
