import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { compose, completeSdl, type GraphSubgraph } from '@rhizome/schema';
import { leftovers, testTokens, waitFor } from '@rhizome/testkit';
import { buildGateway } from './app.js';
import { buildOwnSubgraph, ownMemberOf } from './registry/index.js';
import { serveGateway } from './serve.js';
import { post, send } from './testing/post.js';
import { type Manner, MisbehavingServer } from './testing/misbehaving-server.js';
import { createHttpTransport, Guards } from './transports/index.js';

const coreSdl = `
  "A job." type Job @key(fields: "id") { "Its id." id: ID! "Its name." name: String }
  type Query { "Jobs." jobs: [Job!] }
`;
const heronSdl = `
  type Job @key(fields: "id") { id: ID! "What heron knows." heron: HeronJob }
  "What heron knows." type HeronJob { "A nest." nest: String }
`;
const query = '{ jobs { id name heron { nest } } }';
const whole = ['a', 'b'].map((id) => ({ id, name: 'name of some', heron: { nest: 'nest of some' } }));
const without = whole.map((job) => ({ ...job, heron: null }));
/** Maximum number of concurrent calls of one subgraph. */
const concurrency = 8;
const shortTimeMs = 3_000;

interface System {
  readonly core: MisbehavingServer;
  readonly heron: MisbehavingServer;
  ask(
    text?: string,
  ): Promise<{ data: { jobs: unknown; subgraphs?: unknown }; errors: readonly GatewayError[] }>;
  metrics(): Promise<string>;
}

interface GatewayError {
  readonly message: string;
  readonly path: readonly unknown[];
  readonly extensions: { readonly code: string; readonly subgraph?: string };
}

async function startSystem({ timeoutMs = shortTimeMs } = {}): Promise<System> {
  const core = await MisbehavingServer.start(coreSdl);
  const heron = await MisbehavingServer.start(heronSdl);
  const supergraph = supergraphOf([
    { name: 'core', url: core.url, sdl: completeSdl(coreSdl), typePrefix: null },
    { name: 'heron', url: heron.url, sdl: completeSdl(heronSdl), typePrefix: 'Heron' },
  ]);
  const tokens = await testTokens();
  const gateway = await buildGateway({
    supergraphSdl: supergraph,
    transports: (subgraph, url) => createHttpTransport({ subgraph, url, maxAnswerBytes: 2 ** 20 }),
    verifier: tokens.verifier,
    log: silentLogger(),
    planning: 'inline',
    concurrency: { heron: concurrency },
    engineLimits: { subgraphTimeoutsMs: { heron: timeoutMs } },
  });
  const served = await serveGateway(gateway, { port: 0 });
  leftovers.defer('the gateway', () => served.close(0));
  const headers = { authorization: `Bearer ${await tokens.admin()}` };
  return {
    core,
    heron,
    ask: async (text = query) => {
      const { body } = await post(served.url, text, headers);
      const { data, errors = [] } = body as unknown as {
        data: { jobs: unknown };
        errors?: readonly GatewayError[];
      };
      return { data, errors };
    },
    metrics: async () => (await send(`${served.origin}/metrics`, { headers })).text,
  };
}

function supergraphOf(subgraphs: readonly GraphSubgraph[]): string {
  const guards = new Guards(
    () => ({ concurrency: undefined }),
    () => new Date(0),
  );
  const parts = { registry: () => undefined, guards, served: () => [], ownName: 'gateway' };
  const own = ownMemberOf(buildOwnSubgraph(parts));
  const composed = compose([
    ...subgraphs,
    { name: own.name, url: own.endpoint, sdl: own.sdl, typePrefix: null },
  ]);
  if (!composed.ok) throw new Error(JSON.stringify(composed.faults));
  return composed.supergraphSdl;
}

const stateOf = async (system: System, name = 'heron'): Promise<Record<string, unknown>> => {
  const { data } = await system.ask(
    '{ subgraphs { name state lastError runningCalls callLimit calls failedCalls refusedCalls } }',
  );
  const found = (data.subgraphs as Record<string, unknown>[]).find((one) => one['name'] === name);
  if (!found) throw new Error(`${name} is not listed`);
  return found;
};

describe('a subgraph that misbehaves', () => {
  let system: System;
  beforeAll(async () => {
    system = await startSystem();
  });
  beforeEach(async () => {
    system.heron.manner = 'well';
    // Enough good calls that a single failure weighs little.
    for (let one = 0; one < 12; one++) expect((await system.ask()).data.jobs).toEqual(whole);
  });

  it.each<[Manner | 'down', string, RegExp]>([
    ['down', 'DOWNSTREAM_SERVICE_ERROR', /"heron" could not be reached/],
    ['silent', 'DOWNSTREAM_SERVICE_ERROR', /"heron" did not answer within 3000 ms/],
    ['html', 'DOWNSTREAM_SERVICE_ERROR', /"heron" returned no GraphQL response/],
    ['not GraphQL', 'DOWNSTREAM_SERVICE_ERROR', /"heron" returned no GraphQL response/],
    ['fails', 'DOWNSTREAM_SERVICE_ERROR', /"heron" returned no GraphQL response \(HTTP status 500\)/],
    ['huge', 'LIMIT_EXCEEDED', /"heron" returned a response over the size limit/],
    ['cut off', 'DOWNSTREAM_SERVICE_ERROR', /"heron" could not be reached/],
  ])('affects only its own fields when it is %s: one error, %s', async (manner, code, message) => {
    if (manner === 'down') await system.heron.stop();
    else system.heron.manner = manner;
    const { data, errors } = await system.ask();
    expect(data.jobs).toEqual(without);
    expect(errors.map(({ extensions }) => [extensions.code, extensions.subgraph])).toEqual([[code, 'heron']]);
    expect(errors[0]?.message).toMatch(message);
    if (manner === 'down') await system.heron.startAgain();
    system.heron.manner = 'well';
    expect((await system.ask()).data.jobs).toEqual(whole);
  });
});

describe('a subgraph that fails repeatedly', () => {
  it('is not called for a while, then tested, then called as before once it answers', async () => {
    const system = await startSystem();
    system.heron.manner = 'silent';
    // All at once, so that the timeout passes only once.
    const failing = await Promise.all(
      Array.from({ length: concurrency }, (_, index) => system.ask(distinct(index))),
    );
    for (const { data } of failing) expect(data.jobs).toEqual(without);
    await Promise.all(Array.from({ length: concurrency }, (_, index) => system.ask(distinct(index))));
    expect(await stateOf(system)).toMatchObject({
      state: 'DOWN',
      lastError: 'The service "heron" did not answer within 3000 ms',
      failedCalls: 2 * concurrency,
    });
    const before = system.heron.requestCount;
    const { data, errors } = await system.ask();
    expect(data.jobs).toEqual(without);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({
      message: expect.stringMatching(
        /"heron" has failed too often and is not called.*did not answer within 3000 ms/,
      ),
      extensions: { code: 'SERVICE_UNAVAILABLE', subgraph: 'heron' },
    });
    expect(system.heron.requestCount).toBe(before);
    expect(await system.metrics()).toMatch(
      /rhizome_gateway_subgraph_state\{subgraph="heron",state="DOWN"\} 1/,
    );
    expect((await system.ask('{ jobs { name } }')).errors).toEqual([]);
    system.heron.manner = 'well';
    await waitFor('heron in the responses again', async () => (await system.ask()).errors.length === 0, {
      deadlineMs: 2000,
    });
    expect(await stateOf(system)).toMatchObject({ state: 'UP' });
    expect(await system.metrics()).toMatch(/rhizome_gateway_subgraph_state\{subgraph="heron",state="UP"\} 1/);
  });
});

describe('a flood of calls', () => {
  it('is bounded: calls above the limit are rejected at once, and core answers all of its own', async () => {
    const system = await startSystem({ timeoutMs: 60_000 });
    const flood = 60;
    system.heron.manner = 'slow';
    const codes: string[] = [];
    const jobs: unknown[] = [];
    const answers = Array.from({ length: flood }, async (_, index) => {
      const { data, errors } = await system.ask(distinct(index));
      codes.push(errors.map(({ extensions }) => extensions.code).join());
      jobs.push(data.jobs);
    });
    await waitFor('the rejected calls', () => codes.length === flood - concurrency, { deadlineMs: 20_000 });
    expect(new Set(codes)).toEqual(new Set(['LIMIT_EXCEEDED']));
    expect(jobs).toEqual(jobs.map(() => without));
    expect(system.heron.requestCount).toBe(concurrency);
    expect(await stateOf(system)).toMatchObject({
      callLimit: concurrency,
      runningCalls: concurrency,
      refusedCalls: flood - concurrency,
    });
    system.heron.release();
    await Promise.all(answers);
    expect(jobs.slice(-concurrency)).toEqual(Array.from({ length: concurrency }, () => whole));
    expect(await stateOf(system)).toMatchObject({ state: 'UP', runningCalls: 0 });
    expect(await stateOf(system, 'core')).toMatchObject({ state: 'UP', failedCalls: 0, refusedCalls: 0 });
  });
});

/** Equal concurrent queries share one execution; these differ. */
function distinct(index: number): string {
  return query.replace('{ jobs', `query Q${index} { jobs`);
}
