import { describe, expect, it } from '@jest/globals';
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

describe('slow consumers', () => {
  it.each([
    ['subscription { changed(mode: LATEST) { cursor } }', {}, true],
    ['subscription { changed(mode: EVERY) { cursor } }', {}, false],
    ['subscription { changed { cursor } }', {}, false],
    ['subscription ($m: Mode) { changed(mode: $m) { cursor } }', { m: 'LATEST' }, true],
    ['subscription ($m: Mode) { changed(mode: $m) { cursor } }', { m: 'EVERY' }, false],
    ['subscription ($m: Mode = LATEST) { changed(mode: $m) { cursor } }', {}, true],
    ['subscription ($m: Mode = LATEST) { changed(mode: $m) { cursor } }', { m: null }, false],
  ])('continues them only for LATEST: %s with %j', (text, variables, resumes) => {
    expect(plan(text).resumesSlowConsumers(variables)).toBe(resumes);
    expect(plan(text, { latestArgument: undefined }).resumesSlowConsumers(variables)).toBe(false);
  });

  it('never continues them in a stream without cursors', () => {
    expect(plan('subscription { changed(mode: LATEST) { cursor } }', null).resumesSlowConsumers({})).toBe(
      false,
    );
  });
});

describe('the plan of a resumable stream', () => {
  it.each([
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
  ])('leaves the cursor by %s out of the sharing key', (_by, text, variables, cursor) => {
    const made = plan(text);
    expect(made.cursorOf(variables)).toBe(cursor);
    expect(made.text.replace(/subscription S?/, 'subscription ').replaceAll(/\s+/g, ' ')).toBe(
      'subscription ($goOnAfter: String) { changed(filter: {x: 1}, after: $goOnAfter) { cursor } }',
    );
    expect(made.keyOf(variables)).toBe('{}');
    expect(made.upstreamVariables(variables, 'c9')).toEqual({ goOnAfter: 'c9' });
    expect(made.upstreamVariables(variables, undefined)).toEqual({});
  });

  it('feeds only the root field, also within a fragment, and keeps a variable that feeds more', () => {
    const made = plan(`subscription ($c: String, $goOnAfter: Int) { ...F }
      fragment F on Subscription { changed(after: $c, filter: { x: $goOnAfter }) { item { changed(after: $c) } } }`);
    expect(made.text).toContain('changed(filter: {x: $goOnAfter}, after: $goOnAfter_)');
    expect(made.text).toContain('changed(after: $c)');
    expect(made.keyOf({ c: 'x', goOnAfter: 1, unknown: 2 })).toBe('{"c":"x","goOnAfter":1}');
    expect(made.cursorOf({ c: 'x' })).toBe('x');
  });

  it('treats values as equal whatever the order of their keys', () => {
    const made = plan('subscription ($f: F) { changed(filter: $f) { at } }');
    expect(made.keyOf({ f: { x: 1, y: 2 } })).toBe(made.keyOf({ f: { y: 2, x: 1 } }));
    expect(made.keyOf({ f: { x: 1 } })).not.toBe(made.keyOf({ f: { x: 2 } }));
    expect(made.keyOf({})).not.toBe(made.keyOf({ f: null }));
  });
});

describe('the opening message', () => {
  it('carries only the cursor in the shape of the selection', () => {
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

  it('is undefined if the payload cannot be empty, or the variables do not fit', () => {
    const strict = (fields: string) =>
      plan(`subscription { strict { ${fields} } }`, { responseKey: 'strict' });
    expect(strict('item { id }').openingMessage({}, 'x')).toBeUndefined();
    expect(strict('cursor').openingMessage({}, 'x')).toBe('{"data":{"strict":{"cursor":"x"}}}');
    const needs = plan('subscription ($f: F!) { changed(filter: $f) { at } }');
    expect(needs.openingMessage({}, 'x')).toBeUndefined();
  });
});

describe('the plan of another stream', () => {
  it("keeps the client's document, shared by its variables", () => {
    const made = plan('subscription ($n: Int) { ticks(every: $n) { n } }', null);
    expect(made.resumable).toBeUndefined();
    expect(made.cursorOf({ n: 1 })).toBeUndefined();
    expect(made.keyOf({ n: 1, other: 2 })).toBe('{"n":1}');
    expect(made.upstreamVariables({ n: 1 }, 'x')).toEqual({ n: 1 });
  });
});
