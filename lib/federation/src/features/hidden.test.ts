import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// Elements that composition hides: enum values, fields, arguments and input fields, by @inaccessible or by
// difference.

type Source = Readonly<Record<string, unknown>>;

const owner = testSubgraph({
  name: 'owner',
  sdl: `
    type Query {
      jobs(state: State = ON, in: Filter): [Job!]
      echo(states: [State!], mode: Mode, in: Filter, secret: Int = 7 @inaccessible): String
      out: [[Out]]
      outs: [Out!]!
      strict: Out!
      hidden: Int @inaccessible
    }
    enum State { ON OFF @inaccessible LOST }
    enum Out { X Y @inaccessible }
    enum Mode { FAST SLOW }
    input Filter { state: State = LOST states: [State!] secret: Int = 9 @inaccessible inner: Filter note: String }
    type Job @key(fields: "id") { id: ID! state: State states: [State] all: [State!] must: State! sub: Job code: Int @inaccessible }
  `,
  resolvers: {
    Query: {
      jobs: (_: unknown, { state }: Source) => [{ id: '1', state }],
      echo: (_: unknown, args: Source) => JSON.stringify(args),
      out: () => [['X', 'Y'], null, ['Y']],
      outs: () => ['X', 'Y'],
      strict: () => 'Y',
    },
    Job: {
      states: () => ['ON', 'OFF', 'LOST'],
      all: () => ['ON', 'OFF'],
      must: () => 'OFF',
      sub: () => ({ id: '2', state: 'OFF' }),
      code: () => 3,
    },
  },
});

/** Accepts fewer modes, and requires fields that clients do not see. */
const other = testSubgraph({
  name: 'other',
  sdl: `
    type Query { run(mode: Mode): String }
    enum Mode { FAST }
    type Job @key(fields: "id") { id: ID! code: Int @external twice: Int @requires(fields: "code") }
  `,
  resolvers: {
    Query: { run: (_: unknown, { mode }: Source) => String(mode) },
    Job: { twice: ({ code }: Source) => Number(code) * 2 },
  },
});

describe.each(['native', 'fallback'] as const)('hidden elements, by the %s planner', (planner) => {
  let gateway: TestEngine;
  beforeAll(async () => {
    gateway = await createTestEngine([owner, other], { planner });
  });
  afterAll(() => gateway.close());

  it.each<[string, string, string]>([
    ['a value', '{ jobs { sub { state } state } }', '{"jobs":[{"sub":{"state":null},"state":"ON"}]}'],
    ['a value in a list', '{ jobs { states } }', '{"jobs":[{"states":["ON",null,"LOST"]}]}'],
    ['a value in lists of lists', '{ out }', '{"out":[["X",null],null,[null]]}'],
    ['what requires a hidden field', '{ jobs { twice } }', '{"jobs":[{"twice":6}]}'],
  ])('reads %s as null or uses it internally, without an error', async (_name, query, data) => {
    expect(await gateway.text(query)).toBe(`{"data":${data}}`);
  });

  it.each<[string, string, unknown, (string | number)[]]>([
    ['an item', '{ jobs { all } }', { jobs: [{ all: null }] }, ['jobs', 0, 'all', 1]],
    ['a field', '{ jobs { sub { must } } }', { jobs: [{ sub: null }] }, ['jobs', 0, 'sub', 'must']],
    ['an item of a root', '{ outs jobs { id } }', null, ['outs', 1]],
    ['a root', '{ strict }', null, ['strict']],
  ])(
    'reports a hidden value of %s that is non-null and propagates the null',
    async (_name, query, data, path) => {
      const answer = await gateway.run(query);
      expect(answer.data).toEqual(data);
      expect(answer.errors?.map((error) => error.path)).toEqual([path]);
      expect(answer.errors?.[0]?.message).toMatch(/^Cannot return null for non-nullable field \w+\.\w+\.$/);
    },
  );

  it.each<[string, string, Record<string, unknown>, RegExp]>([
    ['a value', '{ echo(states: [OFF]) }', {}, /"OFF" does not exist in "State"/],
    [
      'a value in a variable',
      'query ($s: [State!]) { echo(states: $s) }',
      { s: ['OFF'] },
      /"OFF" does not exist/,
    ],
    ['a value that only some services take', '{ echo(mode: SLOW) }', {}, /"SLOW" does not exist in "Mode"/],
    ['an argument', '{ echo(secret: 1) }', {}, /Unknown argument "secret"/],
    ['an input field', '{ echo(in: { secret: 3 }) }', {}, /"secret" is not defined/],
    [
      'an input field in a variable',
      'query ($f: Filter) { echo(in: $f) }',
      { f: { secret: 1 } },
      /"secret" is not defined/,
    ],
    [
      'an input field of an input',
      'query ($f: Filter) { echo(in: $f) }',
      { f: { inner: { secret: 1 } } },
      /"secret" is not defined/,
    ],
    [
      'a value inside an input',
      'query ($f: Filter) { echo(in: $f) }',
      { f: { inner: { states: ['OFF'] } } },
      /"OFF" does not exist/,
    ],
    ['a field', '{ hidden }', {}, /Cannot query field "hidden"/],
    ['a field that others require', '{ jobs { code } }', {}, /Cannot query field "code"/],
  ])('rejects an operation that uses %s that is hidden', async (_name, query, variables, message) => {
    owner.calls.length = 0;
    const answer = await gateway.run(query, variables);
    expect(answer.data).toBeUndefined();
    expect(answer.errors?.[0]?.message).toMatch(message);
    expect(answer.errors?.[0]?.message).not.toMatch(/did you mean.*(OFF|secret|hidden|SLOW)/i);
    expect(owner.calls).toEqual([]);
  });

  it('lets the subgraph apply the defaults of hidden arguments', async () => {
    const { data } = await gateway.run('query ($f: Filter) { echo(in: $f, mode: FAST) }', {
      f: { inner: { note: 'n' } },
    });
    expect(JSON.parse(String(data?.['echo']))).toEqual({
      secret: 7,
      mode: 'FAST',
      in: { state: 'LOST', secret: 9, inner: { state: 'LOST', secret: 9, note: 'n' } },
    });
  });

  it('hides them from introspection', async () => {
    const { data } = await gateway.run(
      '{ s: __type(name: "State") { enumValues(includeDeprecated: true) { name } } m: __type(name: "Mode") { enumValues { name } } f: __type(name: "Filter") { inputFields { name } } q: __type(name: "Query") { fields { name args { name } } } }',
    );
    const text = JSON.stringify(data);
    expect(text).not.toMatch(/OFF|SLOW|secret|hidden/);
    expect(text).toContain('LOST');
  });
});
