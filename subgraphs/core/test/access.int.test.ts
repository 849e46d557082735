import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { serveSubgraph, type SubgraphResult } from '@rhizome/subgraph';
import { leftovers, testTokens, waitFor } from '@rhizome/testkit';
import { startWorld, type World } from './support/access.fixture.js';
import { callers, grantToCallers, type Row } from './support/access-row.fixture.js';
import { rows } from './support/access-rows.fixture.js';

type Outcome = 'refused' | 'empty' | 'allowed';

let world: World;
beforeAll(async () => {
  world = await startWorld();
  await grantToCallers(world);
});

async function resultOf(row: Row, caller: string): Promise<Outcome> {
  const variables = row.variables?.(world, caller) ?? {};
  const { data, errors = [] } = await firstAnswer(row.text, variables, callers[caller]);
  const codes = errors.map(({ extensions }) => String(extensions?.['code']));
  if (codes.includes('FORBIDDEN')) return 'refused';
  if (codes.some((code) => code.endsWith('_NOT_FOUND'))) return 'empty';
  if (codes.length > 0) throw new Error(JSON.stringify(errors));
  const answer = JSON.parse(JSON.stringify(data)) as Record<string, unknown>;
  const [first] = Object.values(answer);
  const got = row.got ? row.got(answer as never) : Array.isArray(first) ? first.length > 0 : first;
  return got ? 'allowed' : 'empty';
}

async function firstAnswer(
  text: string,
  variables: object,
  caller: Principal | undefined,
): Promise<SubgraphResult> {
  if (!text.startsWith('subscription')) return world.run(text, variables, caller);
  const stream = world.subscribe(text, variables, caller);
  const first = await waitFor('the opening message', () => stream.results[0], { deadlineMs: 60_000 });
  await stream.close();
  return first;
}

const names = { r: 'refused', e: 'empty', a: 'allowed' } as const;

describe('the access rules', () => {
  it('has a row here for every operation, and an operation for every row', () => {
    const operations = world.core.subgraph.entryPoints.map(({ name }) => name);
    expect(Object.keys(rows).sort()).toEqual([...operations].sort());
  });

  it.each(Object.entries(rows))('returns the expected results of %s', async (_name, row) => {
    const expected = row.outcomes.split(' ').map((letter) => names[letter as keyof typeof names]);
    const found: Record<string, Outcome> = {};
    for (const caller of Object.keys(callers)) found[caller] = await resultOf(row, caller);
    expect(found).toEqual(
      Object.fromEntries(Object.keys(callers).map((caller, at) => [caller, expected[at]])),
    );
  });

  it('leaves all entities of others unchanged', async () => {
    const { jobId, spareId, waitingId, accessId, ask } = world;
    const query = `query ($jobId: ID!, $waitingId: ID!, $spareId: ID!) {
      job(id: $jobId) { state attempt log { chunks { text } } } waiting: job(id: $waitingId) { state priority hold { by { subject } } }
      worker(id: $spareId) { state } queue(name: "north") { site { name } state } experiments { nodes { name title } }
    }`;
    expect(await ask(query, { jobId, spareId, waitingId })).toEqual({
      job: { state: 'RUNNING', attempt: 1, log: { chunks: [] } },
      waiting: { state: 'ACTIVATED', priority: 0, hold: null },
      worker: { state: 'DRAINING' },
      queue: { site: { name: 'Pole' }, state: 'ONLINE' },
      experiments: {
        nodes: [
          { name: 'alpha', title: 'alpha' },
          { name: 'beta', title: 'beta' },
        ],
      },
    });
    expect((await ask('{ jobAccess(first: 100) { nodes { id } } }'))['jobAccess']?.['nodes']).toContainEqual({
      id: accessId,
    });
  });

  it('refuses callers without a token', async () => {
    const { verifier } = await testTokens();
    const { core } = world;
    const log = silentLogger();
    const served = await serveSubgraph({
      subgraph: core.subgraph,
      verifier,
      log,
      host: '127.0.0.1',
      port: 0,
      readiness: async () => ({ ready: true }),
    });
    leftovers.defer('a served core', () => served.close());
    const found: Record<string, unknown> = {};
    for (const [name, { text, variables }] of Object.entries(rows)) {
      const body = JSON.stringify({ query: text, variables: variables?.(world, 'nobody') ?? {} });
      const response = await fetch(served.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      const { errors, data } = (await response.json()) as SubgraphResult;
      found[name] = [response.status, errors?.[0]?.extensions?.['code'], data];
    }
    expect(found).toEqual(
      Object.fromEntries(Object.keys(rows).map((name) => [name, [401, 'UNAUTHENTICATED', undefined]])),
    );
  });
});
