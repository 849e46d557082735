import { afterEach, describe, expect, it } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { GraphQLError } from 'graphql';
import { createInProcessTransport } from '../transport/in-process.js';
import { PushQueue } from '@rhizome/subgraph';
import { type TestEngine, createTestEngine, tester } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// Events that arrive together are completed by other subgraphs in one call, and remain separate events.

const upstream = new Map<string, PushQueue<object>>();
const core = testSubgraph({
  name: 'core',
  sdl: `
    type Query { job: Job }
    type Subscription { changed(of: String!): Changed! }
    type Changed { at: Int! job: Job other: Job }
    type Job @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    Query: { job: () => ({ id: '1' }) },
    Subscription: { changed: (_: unknown, { of }: { of: string }) => upstream.get(of) },
  },
});
let seen = 0;
const alpha = testSubgraph({
  name: 'alpha',
  sdl: 'type Job @key(fields: "id") { id: ID! run: Int must: Int! seen: Int }',
  resolvers: {
    Job: {
      run: ({ id }: { id: string }) => {
        if (id === 'bad') throw new GraphQLError('no run', { extensions: { code: 'NO_RUN' } });
        return id.length;
      },
      must: ({ id }: { id: string }) => (id === 'none' ? null : 1),
      seen: () => ++seen,
    },
  },
});

interface Answer {
  readonly data: { readonly changed: { readonly at: number; readonly job: Record<string, unknown> | null } };
  readonly errors?: readonly { readonly path: unknown; readonly extensions: Record<string, unknown> }[];
}

describe('a batch of events', () => {
  let gateway: TestEngine | undefined;
  afterEach(async () => {
    await gateway?.close();
    alpha.calls.length = 0;
  });

  /** Opens a stream whose source the test controls. */
  async function follow(
    selection: string,
    options: Parameters<typeof createTestEngine>[1] = {},
    trace = false,
  ) {
    const source = new PushQueue<object>({
      bound: 1000,
      onEnd: () => undefined,
      overflow: () => new Error('too much'),
    });
    upstream.set('test', source);
    gateway = await createTestEngine([core, alpha], options);
    const opened = await gateway.engine.subscribe({
      query: `subscription { changed(of: "test") { at ${selection} } }`,
      principal: tester,
      requestId: 'r',
      ...(trace ? { trace: { preparedMs: 0, cost: 0 } } : {}),
    });
    if (!opened.ok) throw new Error(opened.answer.text);
    const read = async (count: number): Promise<Answer[]> => {
      const answers: Answer[] = [];
      while (answers.length < count) {
        const item = await opened.events.next();
        if (item.done) throw new Error(`ended after ${answers.length}`);
        answers.push(JSON.parse(item.value.text) as Answer);
      }
      return answers;
    };
    return { source, read, events: opened.events };
  }

  /** Number of entities that each call requested. */
  const represented = (): number[] =>
    alpha.calls.map(({ variables }) => Object.values(variables).flat().length);

  it('needs one call and answers each event in order', async () => {
    const { source, read } = await follow('job { id run } other { id run }');
    for (let at = 0; at < 20; at++)
      source.push({ at, job: { id: `j${at}` }, other: { id: 'x'.repeat(at + 1) } });
    const answers = await read(20);
    expect(answers.map(({ data }) => data.changed)).toEqual(
      Array.from({ length: 20 }, (_, at) => ({
        at,
        job: { id: `j${at}`, run: `j${at}`.length },
        other: { id: 'x'.repeat(at + 1), run: at + 1 },
      })),
    );
    expect(alpha.calls.length).toBeLessThanOrEqual(2);
    expect(represented().reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(39);
  });

  it('requests an entity for each event that needs it', async () => {
    seen = 0;
    const { source, read } = await follow('job { seen }');
    for (let at = 0; at < 5; at++) source.push({ at, job: { id: 'same' } });
    const answers = await read(5);
    expect(answers.map(({ data }) => data.changed.job)).toEqual([1, 2, 3, 4, 5].map((n) => ({ seen: n })));
    expect(alpha.calls).toHaveLength(1);
  });

  it('does not wait for later events', async () => {
    const { source, read } = await follow('job { run }');
    source.push({ at: 0, job: { id: 'a' } });
    await read(1);
    source.push({ at: 1, job: { id: 'b' } });
    await read(1);
    expect(represented()).toEqual([1, 1]);
  });

  it('has at most the maximum number of events', async () => {
    const { source, read } = await follow('job { run }');
    for (let at = 0; at < 200; at++) source.push({ at, job: { id: `${at}` } });
    await read(200);
    expect(Math.max(...represented())).toBe(64);
    expect(represented()).toHaveLength(4);
  });

  it('keeps errors of one event out of the others', async () => {
    const { source, read } = await follow('job { id run }');
    for (const [at, id] of ['a', 'bad', 'c', 'bad'].entries()) source.push({ at, job: { id } });
    const answers = await read(4);
    expect(
      answers.map(({ errors }) => errors?.map(({ path, extensions }) => [path, extensions['code']])),
    ).toEqual([
      undefined,
      [[['changed', 'job', 'run'], 'NO_RUN']],
      undefined,
      [[['changed', 'job', 'run'], 'NO_RUN']],
    ]);
    expect(alpha.calls).toHaveLength(1);
  });

  it('keeps nulls of one event out of the others', async () => {
    const { source, read } = await follow('job { id must }');
    for (const [at, id] of ['a', 'none', 'c'].entries()) source.push({ at, job: { id } });
    const answers = await read(3);
    expect(answers.map(({ data }) => data.changed.job)).toEqual([
      { id: 'a', must: 1 },
      null,
      { id: 'c', must: 1 },
    ]);
    expect(answers.map(({ errors }) => errors?.length)).toEqual([undefined, 1, undefined]);
  });

  it('reports a failed call in each event with its own paths', async () => {
    const { source, read } = await follow('job { run } other { run }', {
      transports: (name) => ({
        ...createInProcessTransport(name === 'core' ? core : alpha),
        ...(name === 'alpha'
          ? { execute: () => Promise.reject(new DomainError('SERVICE_UNAVAILABLE', 'down')) }
          : {}),
      }),
    });
    for (let at = 0; at < 3; at++)
      source.push({ at, job: { id: 'a' }, other: at === 1 ? null : { id: 'b' } });
    const answers = await read(3);
    const paths = [
      ['changed', 'job', 'run'],
      ['changed', 'other', 'run'],
    ];
    expect(
      answers.map(({ errors }) =>
        errors?.map(({ path, extensions }) => [path, extensions['count'], extensions['paths']]),
      ),
    ).toEqual([[[paths[0], 2, paths]], [[paths[0], undefined, undefined]], [[paths[0], 2, paths]]]);
  });

  it('consists of one event if each must show its plan', async () => {
    const { source, read } = await follow('job { run }', {}, true);
    for (let at = 0; at < 3; at++) source.push({ at, job: { id: 'a' } });
    for (const answer of await read(3)) expect(answer).toHaveProperty('extensions.plan.tree');
    expect(represented()).toEqual([1, 1, 1]);
  });

  it('precedes the end of the source', async () => {
    const { source, read, events } = await follow('job { run }');
    for (let at = 0; at < 3; at++) source.push({ at, job: { id: 'a' } });
    source.fail(new DomainError('SERVICE_UNAVAILABLE', 'gone'));
    expect((await read(3)).map(({ data }) => data.changed.at)).toEqual([0, 1, 2]);
    expect((await events.next()).value).toMatchObject({ codes: ['SERVICE_UNAVAILABLE'], lost: true });
    expect((await events.next()).done).toBe(true);
    expect(gateway?.engine.running.subscriptions).toBe(0);
  });
});
