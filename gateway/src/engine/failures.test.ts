import { afterEach, describe, expect, test } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { GraphQLError } from 'graphql';
import {
  createInProcessTransport,
  type SubgraphResult,
  type Transport,
  type TransportFactory,
} from '../transports/index.js';
import { keptLog, type TestAnswer, type TestGateway, testGateway, tester } from '../testing/gateway.js';
import { type TestSubgraph, testSubgraph } from '../testing/subgraph.js';

// What a client is told when a service fails: only its fields are null, each with an error that names it.

type Source = Readonly<Record<string, unknown>>;

const core = testSubgraph({
  name: 'core',
  sdl: `
    type Query { jobs(n: Int = 2): [Job!]! job: Job coreOnly: Int }
    type Job @key(fields: "id") { id: ID! name: String size: Int parent: Job bad: Int }
  `,
  resolvers: {
    Query: {
      jobs: (_: unknown, { n }: { n: number }) =>
        Array.from({ length: n }, (__, index) => ({ id: String(index) })),
      job: () => ({ id: '0' }),
      coreOnly: () => 1,
    },
    Job: {
      name: ({ id }: Source) => `job ${String(id)}`,
      size: () => {
        throw new GraphQLError('no size', {
          extensions: { code: 'NO_SIZE', field: 'size', stacktrace: ['secret'] },
        });
      },
      parent: () => ({ id: '9' }),
      bad: () => {
        throw new Error('connect to mongodb://user:password@host');
      },
    },
  },
});

const alpha = testSubgraph({
  name: 'alpha',
  sdl: `
    type Query { alphas: [Int] alphaJob: Job }
    type Job @key(fields: "id") { id: ID! size: Int @external alpha: Alpha weight: Int @requires(fields: "size") need: Int! }
    type Alpha { run: Int inner: Alpha list: [Alpha!] bad: Int }
  `,
  resolvers: {
    Query: { alphas: () => [1], alphaJob: () => ({ id: '5' }) },
    Job: {
      alpha: ({ id }: Source) => ({ run: Number(id) }),
      weight: ({ size }: Source) => (size === null ? null : Number(size)),
      need: () => 1,
    },
    Alpha: {
      inner: () => ({ run: 1 }),
      list: () => [{ run: 1 }, { run: 2 }],
      bad: ({ run }: Source) => {
        throw new GraphQLError(`bad ${String(run)}`, { extensions: { code: 'BAD' } });
      },
    },
  },
});

type Fault = (
  answer: () => Promise<SubgraphResult>,
  signal: AbortSignal | undefined,
) => Promise<SubgraphResult>;

/** Subgraphs of which some answer wrongly. */
function withFaults(
  subgraphs: readonly TestSubgraph[],
  faults: Readonly<Record<string, Fault>>,
): TransportFactory {
  return (name) => {
    const subgraph = subgraphs.find((one) => one.name === name);
    if (!subgraph) throw new Error(`no subgraph ${name}`);
    const real = createInProcessTransport(subgraph);
    const fault = faults[name];
    if (!fault) return real;
    return {
      ...real,
      execute: (request) => fault(() => real.execute(request), request.signal),
    } satisfies Transport;
  };
}

const down: Fault = async () => {
  throw new DomainError('DOWNSTREAM_SERVICE_ERROR', 'The service "alpha" could not be reached');
};

describe('errors and failures', () => {
  let gateway: TestGateway | undefined;
  afterEach(async () => {
    await gateway?.close();
    gateway = undefined;
  });

  async function run(
    query: string,
    faults: Readonly<Record<string, Fault>> = {},
    options: Parameters<typeof testGateway>[1] = {},
  ): Promise<TestAnswer> {
    gateway = await testGateway([core, alpha], {
      transports: withFaults([core, alpha], faults),
      uncodedMessages: false,
      ...options,
    });
    return gateway.run(query);
  }

  const places = (answer: TestAnswer): unknown[] =>
    (answer.errors ?? []).map(({ path, extensions }) => [
      path?.join('.'),
      extensions['code'],
      extensions['subgraph'],
    ]);

  /** The places that an error tells of beside its own. */
  const pathsOf = (answer: TestAnswer): unknown[] =>
    (answer.errors ?? []).map(({ extensions }) => {
      const paths = extensions['paths'] as readonly (readonly (string | number)[])[] | undefined;
      return paths && [extensions['count'], ...paths.map((path) => path.join('.'))];
    });

  test('an error is told at the place the client knows, over aliases, lists and hops', async () => {
    const answer = await run('{ all: jobs { p: parent { a: alpha { l: list { b: bad } } } } }');
    expect(answer.data).toEqual({
      all: Array.from({ length: 2 }, () => ({ p: { a: { l: [{ b: null }, { b: null }] } } })),
    });
    expect(places(answer)).toEqual([
      ['all.0.p.a.l.0.b', 'BAD', 'alpha'],
      ['all.1.p.a.l.0.b', 'BAD', 'alpha'],
      ['all.0.p.a.l.1.b', 'BAD', 'alpha'],
      ['all.1.p.a.l.1.b', 'BAD', 'alpha'],
    ]);
  });

  test('an error keeps what is meant for clients and loses what is not', async () => {
    const answer = await run('{ job { size } }');
    expect(answer.errors).toEqual([
      {
        message: 'no size',
        path: ['job', 'size'],
        extensions: { field: 'size', code: 'NO_SIZE', retry: 'never', subgraph: 'core', requestId: 'r1' },
      },
    ]);
  });

  test('a message that nobody vouches for is replaced, and logged', async () => {
    const answer = await run('{ job { bad } }');
    expect(answer.errors?.[0]).toMatchObject({
      message: 'The service "core" failed; quote request r1 when you report it',
      extensions: { code: 'DOWNSTREAM_SERVICE_ERROR', subgraph: 'core' },
    });
    expect(JSON.stringify(answer)).not.toContain('password');
    expect(JSON.stringify(gateway?.log.lines)).toContain('mongodb://');
  });

  test('a service that is down leaves null in its own fields, with one error a fetch', async () => {
    const answer = await run('{ jobs { id a: alpha { run } name } alphas coreOnly }', { alpha: down });
    expect(answer.data).toEqual({
      jobs: [
        { id: '0', a: null, name: 'job 0' },
        { id: '1', a: null, name: 'job 1' },
      ],
      alphas: null,
      coreOnly: 1,
    });
    expect(places(answer)).toEqual([
      ['jobs.0.a', 'DOWNSTREAM_SERVICE_ERROR', 'alpha'],
      ['alphas', 'DOWNSTREAM_SERVICE_ERROR', 'alpha'],
    ]);
    expect(pathsOf(answer)).toEqual([[2, 'jobs.0.a', 'jobs.1.a'], undefined]);
    expect(answer.errors?.[0]?.message).toBe('The service "alpha" could not be reached');
  });

  test("a field that may not be null takes its object along, with the service's error", async () => {
    const answer = await run('{ job { id need } }', { alpha: down });
    expect(answer.data).toEqual({ job: null });
    expect(places(answer)).toEqual([['job.need', 'DOWNSTREAM_SERVICE_ERROR', 'alpha']]);
  });

  test('what comes after a failed fetch is told with its failure', async () => {
    const answer = await run('{ alphaJob { weight alpha { run } name } }', {
      core: async () => {
        throw new DomainError('SERVICE_UNAVAILABLE', 'down');
      },
    });
    expect(answer.data).toEqual({ alphaJob: { weight: null, alpha: { run: 5 }, name: null } });
    expect(places(answer)).toEqual([['alphaJob.weight', 'SERVICE_UNAVAILABLE', 'core']]);
    expect(pathsOf(answer)).toEqual([[2, 'alphaJob.weight', 'alphaJob.name']]);
  });

  test('an error of a field that was fetched for another is told where it is felt', async () => {
    const answer = await run('{ jobs { weight } }');
    expect(answer.data).toEqual({ jobs: [{ weight: null }, { weight: null }] });
    expect(places(answer)).toEqual([
      ['jobs.0.weight', 'NO_SIZE', 'core'],
      ['jobs.1.weight', 'NO_SIZE', 'core'],
    ]);
  });

  test.each<[string, Fault, string]>([
    ['nothing', async () => undefined as unknown as SubgraphResult, 'answered no GraphQL response'],
    ['a text', async () => 'busy' as unknown as SubgraphResult, 'answered no GraphQL response'],
    ['neither data nor errors', async () => ({}), 'answered without entities'],
    ['data without entities', async () => ({ data: {} }), 'answered without entities'],
    ['entities that are no list', async () => ({ data: { _entities: 5 } }), 'answered without entities'],
  ])('a service that answers %s', async (_name, fault, message) => {
    const answer = await run('{ jobs { alpha { run } name } }', { alpha: fault });
    expect(answer.data).toEqual({
      jobs: [
        { alpha: null, name: 'job 0' },
        { alpha: null, name: 'job 1' },
      ],
    });
    expect(places(answer)).toEqual([['jobs.0.alpha', 'DOWNSTREAM_SERVICE_ERROR', 'alpha']]);
    expect(pathsOf(answer)).toEqual([[2, 'jobs.0.alpha', 'jobs.1.alpha']]);
    expect(answer.errors?.[0]?.message).toBe(`The service "alpha" ${message}`);
  });

  test('a service that answers fewer entities than it was asked for', async () => {
    const answer = await run('{ jobs(n: 3) { alpha { run } } }', {
      alpha: async (answer) => {
        const result = await answer();
        return { data: { _entities: (result.data?.['_entities'] as unknown[]).slice(0, 1) } };
      },
    });
    expect(answer.data).toEqual({ jobs: [{ alpha: { run: 0 } }, { alpha: null }, { alpha: null }] });
    expect(places(answer)).toEqual([['jobs.1.alpha', 'DOWNSTREAM_SERVICE_ERROR', 'alpha']]);
    expect(pathsOf(answer)).toEqual([[2, 'jobs.1.alpha', 'jobs.2.alpha']]);
    expect(answer.errors?.[0]?.message).toBe('The service "alpha" answered 1 entities of 3');
  });

  test('an entity that the service does not know is null without an error', async () => {
    const answer = await run('{ jobs { alpha { run } } }', {
      alpha: async () => ({ data: { _entities: [null, { alpha: { run: 7 } }] } }),
    });
    expect(answer).toEqual({ data: { jobs: [{ alpha: null }, { alpha: { run: 7 } }] } });
  });

  test.each<[string, (string | number)[]]>([
    ['no place', []],
    ['the whole list', ['_entities']],
    ['a place that is not there', ['_entities', 99, 'alpha']],
  ])('an error about %s is told once, with all its fields', async (_name, path) => {
    const answer = await run('{ jobs { alpha { run } } }', {
      alpha: async () => ({ data: null, errors: [{ message: 'lost', path, extensions: { code: 'LOST' } }] }),
    });
    expect(answer.data).toEqual({ jobs: [{ alpha: null }, { alpha: null }] });
    expect(places(answer)).toEqual([['jobs.0.alpha', 'LOST', 'alpha']]);
    expect(pathsOf(answer)).toEqual([[2, 'jobs.0.alpha', 'jobs.1.alpha']]);
  });

  test('an error about one entity as a whole is told at its fields', async () => {
    const answer = await run('{ jobs { alpha { run } } }', {
      alpha: async () => ({
        data: { _entities: [{ alpha: { run: 1 } }, null] },
        errors: [{ message: 'not found', path: ['_entities', 1], extensions: { code: 'NOT_FOUND' } }],
      }),
    });
    expect(places(answer)).toEqual([['jobs.1.alpha', 'NOT_FOUND', 'alpha']]);
  });

  test('a root that answers null without a word', async () => {
    const answer = await run('{ coreOnly alphas }', { core: async () => ({ data: null }) });
    expect(answer.data).toEqual({ coreOnly: null, alphas: [1] });
    expect(places(answer)).toEqual([['coreOnly', 'DOWNSTREAM_SERVICE_ERROR', 'core']]);
  });

  test('the places of one failure are bounded, and counted in full', async () => {
    const answer = await run(
      '{ jobs(n: 1000) { alpha { run } } }',
      { alpha: down },
      { limits: { errorsPerFetch: 10 } },
    );
    expect(answer.errors).toHaveLength(1);
    expect(answer.errors?.[0]?.extensions['count']).toBe(1000);
    expect(answer.errors?.[0]?.extensions['paths']).toHaveLength(10);
    expect((answer.data?.['jobs'] as unknown[]).length).toBe(1000);
  });

  test('a service that refuses our own text is at fault towards the client, and that is logged', async () => {
    const answer = await run('{ alphas }', {
      alpha: async () => ({
        errors: [
          { message: 'Cannot query field "alphas"', extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } },
        ],
      }),
    });
    expect(places(answer)).toEqual([['alphas', 'DOWNSTREAM_SERVICE_ERROR', 'alpha']]);
    expect(JSON.stringify(answer)).not.toContain('Cannot query');
  });

  test('a transport that refuses at once is one failed call', async () => {
    const answer = await run('{ alphas coreOnly }', {
      alpha: () => {
        throw new DomainError('UNAUTHENTICATED', 'nobody');
      },
    });
    expect(answer.data).toEqual({ alphas: null, coreOnly: 1 });
    expect(places(answer)).toEqual([['alphas', 'UNAUTHENTICATED', 'alpha']]);
  });

  test('one failure in places that may be null, may not be null, and in lists is one error', async () => {
    const answer = await run(
      '{ job { id need } jobs { a: alpha { run } alpha { inner { run } } } alphaJob { id } }',
      {
        alpha: down,
      },
    );
    expect(answer.data).toEqual({
      job: null,
      jobs: Array(2).fill({ a: null, alpha: null }),
      alphaJob: null,
    });
    const told = new Map<string, number>();
    for (const error of answer.errors ?? []) {
      for (const path of (error.extensions['paths'] as unknown[] | undefined) ?? [error.path]) {
        const place = JSON.stringify(path);
        told.set(place, (told.get(place) ?? 0) + 1);
      }
    }
    expect([...told].sort()).toEqual(
      [
        ['job', 'need'],
        ['jobs', 0, 'a'],
        ['jobs', 0, 'alpha'],
        ['jobs', 1, 'a'],
        ['jobs', 1, 'alpha'],
        ['alphaJob'],
      ]
        .map((path) => [JSON.stringify(path), 1])
        .sort(),
    );
    expect(answer.errors?.length).toBeLessThan(told.size);
  });

  test('a slow service is given up after its own time, and told to stop', async () => {
    let stopped: unknown;
    const slow: Fault = (_answer, signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          stopped = signal.reason;
          reject(new Error('stopped'));
        });
      });
    const answer = await run(
      '{ alphas coreOnly }',
      { alpha: slow },
      { limits: { subgraphTimeoutsMs: { alpha: 30 }, subgraphTimeoutMs: 60_000 } },
    );
    expect(answer.data).toEqual({ alphas: null, coreOnly: 1 });
    expect(answer.errors?.[0]?.message).toBe('The service "alpha" did not answer within 30 ms');
    expect(stopped).toBeInstanceOf(DomainError);
  });

  test('a client that leaves takes its calls along', async () => {
    const controller = new AbortController();
    const leaving = new Error('client left');
    let aborted: unknown;
    let asked: () => void = () => {};
    const wasAsked = new Promise<void>((resolve) => (asked = resolve));
    gateway = await testGateway([core, alpha], {
      transports: withFaults([core, alpha], {
        alpha: (_answer, signal) =>
          new Promise(() => {
            signal?.addEventListener('abort', () => (aborted = signal.reason));
            asked();
          }),
      }),
    });
    const running = gateway.engine.execute({
      query: '{ alphas }',
      principal: tester,
      requestId: 'r1',
      signal: controller.signal,
    });
    await wasAsked;
    expect(gateway.engine.running.operations).toBe(1);
    controller.abort(leaving);
    await expect(running).rejects.toBe(leaving);
    expect(aborted).toBe(leaving);
    expect(gateway.engine.running.operations).toBe(0);
  });

  test('nothing is asked for a client that has left before', async () => {
    const answer = run('{ coreOnly }');
    await answer;
    core.calls.length = 0;
    await expect(
      gateway?.engine.execute({
        query: '{ coreOnly }',
        principal: tester,
        requestId: 'r1',
        signal: AbortSignal.abort(new Error('gone')),
      }),
    ).rejects.toThrow('gone');
    expect(core.calls).toEqual([]);
  });

  test('an engine that closes ends what runs, and then refuses', async () => {
    let finish: () => void = () => {};
    const isAsked = new Promise<void>((resolve) => {
      gateway = undefined;
      void testGateway([core, alpha], {
        transports: withFaults([core, alpha], {
          core: async (answer) => {
            resolve();
            await new Promise<void>((go) => (finish = go));
            return answer();
          },
        }),
      }).then((made) => {
        gateway = made;
        void made.text('{ coreOnly }').then((text) => texts.push(text));
      });
    });
    const texts: string[] = [];
    await isAsked;
    const closing = gateway as unknown as TestGateway;
    const closed = closing.close().then(() => texts.push('closed'));
    expect(JSON.parse(await closing.text('{ coreOnly }'))).toMatchObject({
      errors: [{ extensions: { code: 'SHUTTING_DOWN' } }],
    });
    expect(await closing.engine.prepare({ query: '{ coreOnly }', requestId: 'r2' })).toMatchObject({
      ok: false,
      answer: { codes: ['SHUTTING_DOWN'] },
    });
    finish();
    await closed;
    expect(texts).toEqual(['{"data":{"coreOnly":1}}', 'closed']);
  });

  test('a supergraph that is none is refused with a reason', async () => {
    for (const planning of ['inline', 'worker'] as const) {
      await expect(
        testGateway([core], { supergraphSdl: 'type Query { a: Int', planning, log: keptLog() }),
      ).rejects.toMatchObject({ code: 'COMPOSITION_FAILED' });
    }
  });
});
