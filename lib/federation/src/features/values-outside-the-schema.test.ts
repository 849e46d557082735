import { afterEach, describe, expect, it } from '@jest/globals';
import { createTestEngine, type TestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

let test: TestEngine | undefined;
afterEach(async () => {
  await test?.close();
  test = undefined;
});

/** Returns the value of the test, which the subgraph's own executor would reject. */
async function answerWith(data: Record<string, unknown>, query: string) {
  const subgraph = testSubgraph({
    name: 'core',
    sdl: `
      type Query { state: State states: [State!] thing: Thing things: [Thing!] named: Named }
      enum State { ON OFF SECRET @inaccessible }
      union Thing = Job | Task | Hidden
      interface Named { name: String }
      type Job implements Named { name: String }
      type Task implements Named { name: String }
      type Hidden implements Named @inaccessible { name: String }
    `,
    resolvers: {},
  });
  test = await createTestEngine([subgraph], {
    transports: () => ({
      wire: 'objects',
      execute: async () => ({ data: structuredClone(data) }),
      subscribe: () => {
        throw new Error('no streams here');
      },
      close: async () => undefined,
    }),
  });
  return test.run(query);
}

describe('a value outside of the schema', () => {
  it('is null with one error for an enum', async () => {
    const answer = await answerWith({ state: 'BROKEN' }, '{ state }');
    expect(answer.data).toEqual({ state: null });
    expect(answer.errors?.map(({ path }) => path)).toEqual([['state']]);
    expect(answer.errors?.[0]?.message).toContain('not a value of type State');
  });

  it('causes one error for an enum in a list of non-null items', async () => {
    const answer = await answerWith({ states: ['ON', 'BROKEN'] }, '{ states }');
    expect(answer.data).toEqual({ states: null });
    expect(answer.errors?.map(({ path }) => path)).toEqual([['states', 1]]);
  });

  it.each([
    ['a union', { thing: { __typename: 'Ship', name: 'x' } }, '{ thing { ... on Job { name } } }', 'thing'],
    [
      'a union, the name of another type',
      { thing: { __typename: 'Query' } },
      '{ thing { ... on Job { name } } }',
      'thing',
    ],
    ['an interface', { named: { __typename: 'Ship', name: 'x' } }, '{ named { name } }', 'named'],
  ])('is null with one error for %s', async (_what, data, query, place) => {
    const answer = await answerWith(data, query);
    expect(answer.data).toEqual({ [place]: null });
    expect(answer.errors?.map(({ path }) => path)).toEqual([[place]]);
  });

  it('is null without an error where composition hides it', async () => {
    const data = {
      state: 'SECRET',
      thing: { __typename: 'Hidden' },
      named: { __typename: 'Hidden', name: 'x' },
    };
    const answer = await answerWith(data, '{ state thing { ... on Job { name } } named { name } }');
    expect(answer).toEqual({ data: { state: null, thing: null, named: null } });
  });
});
