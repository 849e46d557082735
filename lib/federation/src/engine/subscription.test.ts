import { afterEach, describe, expect, it } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { GraphQLError } from 'graphql';
import { createInProcessTransport } from '../transport/in-process.js';
import { PushQueue } from '@rhizome/subgraph';
import { type SubgraphResult } from '../transport/transport.js';
import { type TestEngine, createTestEngine, tester } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';
import type { ExecutionText, Subscribing } from '../index.js';

type Source = Readonly<Record<string, unknown>>;

/** Number of calls so far by job, which the alpha subgraph returns. */
let answers: (() => unknown)[] = [];

const core = testSubgraph({
  name: 'core',
  sdl: `
    directive @resumable(argument: String!, cursor: String!) on FIELD_DEFINITION
    directive @perPrincipal on FIELD_DEFINITION
    extend schema
      @link(url: "https://specs.apollo.dev/federation/v2.7", import: ["@key", "@composeDirective"])
      @link(url: "https://example.org/streams/v1.0", import: ["@resumable", "@perPrincipal"])
      @composeDirective(name: "@resumable") @composeDirective(name: "@perPrincipal")
    type Query { job: Job me: String @perPrincipal }
    type Subscription { jobChanged(after: String, n: Int = 3): Changed! @resumable(argument: "after", cursor: "cursor") plain: Int bad: Int }
    type Changed { cursor: String! at: Int job: Job }
    type Job @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    Query: { job: () => ({ id: '1' }) },
    Subscription: {
      jobChanged: async function* (_: unknown, { n }: { n: number }) {
        for (let at = 1; at <= n; at++) yield { cursor: `c${at}`, at, job: { id: '1' } };
      },
      plain: async function* () {
        yield 1;
        yield 2;
        throw new GraphQLError('source broke', { extensions: { code: 'SOURCE' } });
      },
      bad: () => {
        throw new GraphQLError('not you', { extensions: { code: 'FORBIDDEN' } });
      },
    },
  },
});
const alpha = testSubgraph({
  name: 'alpha',
  sdl: 'type Job @key(fields: "id") { id: ID! run: Int must: Int! }',
  resolvers: { Job: { run: () => answers.shift()?.(), must: () => answers.shift()?.() } },
});

describe('engine.subscribe', () => {
  let gateway: TestEngine | undefined;
  afterEach(async () => {
    await gateway?.close();
    gateway = undefined;
  });

  const open = async (
    query: string,
    options: Parameters<typeof createTestEngine>[1] = {},
    variables: Source = {},
    signal?: AbortSignal,
  ): Promise<Subscribing> => {
    gateway ??= await createTestEngine([core, alpha], options);
    return gateway.engine.subscribe({ query, variables, principal: tester, requestId: 'r1', signal });
  };
  const all = async (subscribing: Subscribing): Promise<ExecutionText[]> => {
    if (!subscribing.ok) throw new Error(subscribing.answer.text);
    const events: ExecutionText[] = [];
    for await (const event of subscribing.events) events.push(event);
    return events;
  };

  it('keeps an error in the event it belongs to', async () => {
    answers = [
      () => 1,
      () => {
        throw new GraphQLError('lost', { extensions: { code: 'LOST' } });
      },
      () => 3,
    ];
    const events = await all(await open('subscription { jobChanged { at job { run } } }'));
    expect(events.map(({ codes }) => codes)).toEqual([[], ['LOST'], []]);
    expect(events.map(({ text }) => (JSON.parse(text) as { data: unknown }).data)).toEqual([
      { jobChanged: { at: 1, job: { run: 1 } } },
      { jobChanged: { at: 2, job: { run: null } } },
      { jobChanged: { at: 3, job: { run: 3 } } },
    ]);
  });

  it('propagates null within one event', async () => {
    answers = [() => 1, () => null, () => 3];
    const events = await all(await open('subscription { jobChanged { job { must } at } }'));
    expect(events.map(({ text }) => (JSON.parse(text) as { data: unknown }).data)).toEqual([
      { jobChanged: { job: { must: 1 }, at: 1 } },
      { jobChanged: { job: null, at: 2 } },
      { jobChanged: { job: { must: 3 }, at: 3 } },
    ]);
  });

  it('attaches the cursor to each event and shows it only if the client selected it', async () => {
    const without = await all(await open('subscription { c: jobChanged { at } }'));
    expect(without.map(({ cursor, text }) => [cursor, text])).toEqual([
      ['c1', '{"data":{"c":{"at":1}}}'],
      ['c2', '{"data":{"c":{"at":2}}}'],
      ['c3', '{"data":{"c":{"at":3}}}'],
    ]);
    const [first] = await all(
      await open(
        'subscription { ...S } fragment S on Subscription { jobChanged(n: 1) { cursor: at c: cursor } }',
      ),
    );
    expect(first).toMatchObject({ cursor: 'c1', text: '{"data":{"jobChanged":{"cursor":1,"c":"c1"}}}' });
  });

  it('knows the facts about a subscription before it opens', async () => {
    gateway = await createTestEngine([core, alpha]);
    const info = async (query: string): Promise<unknown> => {
      const prepared = await gateway?.engine.prepare({ query, requestId: 'r1' });
      return prepared?.ok && prepared.operation;
    };
    expect(await info('subscription ($a: String) { x: jobChanged(after: $a) { at } }')).toMatchObject({
      kind: 'subscription',
      resumable: { responseKey: 'x', argument: 'after', variable: 'a', cursorField: 'cursor' },
    });
    expect(await info('subscription { plain }')).toMatchObject({ resumable: undefined, perPrincipal: false });
    expect(await info('{ job { id } ...F } fragment F on Query { me }')).toMatchObject({
      perPrincipal: true,
    });
  });

  it('applies @skip and @include to events', async () => {
    const [event] = await all(
      await open(
        'subscription ($x: Boolean!) { jobChanged(n: 1) { at @skip(if: $x) job @include(if: $x) { id } } }',
        {},
        { x: true },
      ),
    );
    expect(event?.text).toBe('{"data":{"jobChanged":{"job":{"id":"1"}}}}');
  });

  it('reports a source that refuses once and ends the stream', async () => {
    const events = await all(await open('subscription { bad }'));
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ codes: ['FORBIDDEN'] });
  });

  it('reports the failure of a source after its events', async () => {
    const events = await all(await open('subscription { plain }'));
    expect(events.map(({ text }) => text).slice(0, 2)).toEqual([
      '{"data":{"plain":1}}',
      '{"data":{"plain":2}}',
    ]);
    expect(events).toHaveLength(3);
    expect(events[2]).toMatchObject({ lost: true });
  });

  it('answers invalid documents, missing variables and queries without a stream', async () => {
    expect(await open('subscription { nope }')).toMatchObject({
      ok: false,
      answer: { codes: ['GRAPHQL_VALIDATION_FAILED'] },
    });
    const underVariable = 'subscription ($x: Boolean = false) { plain @skip(if: $x) }';
    expect(await open(underVariable)).toMatchObject({
      ok: false,
      answer: { codes: ['GRAPHQL_VALIDATION_FAILED'], text: expect.stringContaining('root field') },
    });
    expect(await open('subscription ($n: Int!) { jobChanged(n: $n) { at } }')).toMatchObject({
      ok: false,
      answer: { codes: ['BAD_USER_INPUT'] },
    });
    expect((await all(await open('{ job { id } }'))).map(({ text }) => text)).toEqual([
      '{"data":{"job":{"id":"1"}}}',
    ]);
    expect(
      await gateway?.engine.execute({ query: 'subscription { plain }', principal: tester, requestId: 'r1' }),
    ).toMatchObject({ outcome: 'rejected', codes: ['BAD_USER_INPUT'] });
  });

  /** An upstream that the test controls. */
  async function held(query: string, signal?: AbortSignal) {
    let ends = 0;
    let aborted = false;
    const upstream = new PushQueue<SubgraphResult>({
      bound: 10,
      onEnd: () => ends++,
      overflow: () => new Error('overflow'),
    });
    const opened = await open(
      query,
      {
        transports: (name) => {
          const subgraph = name === 'core' ? core : alpha;
          return {
            ...createInProcessTransport(subgraph),
            subscribe: (request) => {
              request.signal?.addEventListener('abort', () => (aborted = true));
              return upstream;
            },
          };
        },
      },
      {},
      signal,
    );
    if (!opened.ok) throw new Error(opened.answer.text);
    return { upstream, events: opened.events, ends: () => ends, aborted: () => aborted };
  }

  it('ends the upstream of an idle stream at once and settles pending calls when the client returns', async () => {
    const { events, ends, aborted } = await held('subscription { plain }');
    const waiting = events.next();
    expect(gateway?.engine.running.subscriptions).toBe(1);
    await events.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect([ends(), aborted(), gateway?.engine.running.subscriptions]).toEqual([1, true, 0]);
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  it('ends the upstream when the signal of the client aborts', async () => {
    const controller = new AbortController();
    const { events, ends } = await held('subscription { plain }', controller.signal);
    const waiting = events.next();
    controller.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(ends()).toBe(1);
  });

  it('ends streams when the engine closes', async () => {
    const { events, ends } = await held('subscription { plain }');
    const waiting = events.next();
    await gateway?.close();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(ends()).toBe(1);
  });

  it('keeps the order of events if several calls are pending', async () => {
    const { upstream, events } = await held('subscription { plain }');
    const waiting = [events.next(), events.next(), events.next()];
    upstream.push({ data: { plain: 1 } });
    upstream.push({ data: { plain: 2 } });
    upstream.finish();
    expect(
      (await Promise.all(waiting)).map(({ value }) => (value as ExecutionText | undefined)?.text),
    ).toEqual(['{"data":{"plain":1}}', '{"data":{"plain":2}}', undefined]);
  });

  it.each([
    [
      new DomainError('SERVICE_UNAVAILABLE', 'The connection to the service "core" was lost'),
      true,
      'SERVICE_UNAVAILABLE',
    ],
    [new DomainError('FORBIDDEN', 'refused'), false, 'FORBIDDEN'],
    [new Error('socket 10.0.0.7 hang up'), true, 'DOWNSTREAM_SERVICE_ERROR'],
  ])('reports for an upstream that fails with %s whether it may be reopened', async (error, lost, code) => {
    const { upstream, events } = await held('subscription { plain }');
    upstream.push({ data: { plain: 1 } });
    upstream.fail(error);
    expect((await events.next()).value).toMatchObject({ text: '{"data":{"plain":1}}' });
    const last = (await events.next()).value as ExecutionText;
    expect(last).toMatchObject({ codes: [code], lost });
    expect(last.text).not.toContain('10.0.0.7');
    expect((await events.next()).done).toBe(true);
  });
});
