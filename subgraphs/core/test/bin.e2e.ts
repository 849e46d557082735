import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  leftovers,
  spawnProcess,
  testDatabase,
  testMongo,
  type TestProcess,
  type TestTokens,
  testTokens,
  waitFor,
} from '@rhizome/testkit';
import { createClient as createSocketClient } from 'graphql-ws';
import WebSocket from 'ws';

const bin = fileURLToPath(new URL('../../../bundle/bin.js', import.meta.url));

/** Any value in an answer. */
type Answer = { readonly [field: string]: Answer } & readonly Answer[] & string & number;

let tokens: TestTokens;
let keys: string;

beforeAll(async () => {
  tokens = await testTokens();
  const folder = await mkdtemp(join(tmpdir(), 'core-bin-'));
  leftovers.defer('the folder of keys', () => rm(folder, { recursive: true, force: true }));
  keys = join(folder, 'jwks.json');
  await writeFile(keys, JSON.stringify(tokens.calls.jwks()));
});

/** Starts core as a process; resolves when it is ready. */
async function startBin(
  name: string,
  database: string,
  over: Record<string, string> = {},
): Promise<{ readonly process: TestProcess; readonly origin: string }> {
  const { uri } = await testMongo();
  const env = {
    RHIZOME_CORE_MONGO_URI: uri,
    RHIZOME_CORE_DATABASE: database,
    RHIZOME_CORE_PORT: '0',
    RHIZOME_CORE_GATEWAY_KEYS_JWKS_FILE: keys,
    RHIZOME_CORE_BROKER_LEASE_MS: '2000',
    RHIZOME_CORE_BROKER_RENEW_MS: '400',
    ...over,
  };
  const process = spawnProcess({ name, command: 'node', args: [bin], env });
  const [, address] = await process.line(/"url":"http:\/\/([^/"]+)/, 60_000);
  const origin = `http://${address}`;
  await waitFor(`${name} to be ready`, async () => (await fetch(`${origin}/readyz`)).status === 200, {
    deadlineMs: 60_000,
  });
  return { process, origin };
}

/** Sends an operation over HTTP; fails if the answer has errors. */
function caller(origin: string, token: () => Promise<string>) {
  return async (query: string, variables: object = {}): Promise<Answer> => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${await token()}` };
    const response = await fetch(`${origin}/graphql`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as {
      data: Answer;
      errors?: readonly { extensions: { code: string } }[];
    };
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  };
}

const register =
  'mutation { registerExperiment(input: { name: "alpha", title: "Alpha" }) { userErrors { message } } createQueue(input: { name: "north", site: "Pole" }) { userErrors { message } } }';
const submit =
  'mutation ($jobs: [JobInput!]!, $key: String!) { submitJobs(input: { experiment: "alpha", idempotencyKey: $key, jobs: $jobs }) { jobs { id state } userErrors { message } } }';
const registerWorker =
  'mutation ($key: String!) { registerWorker(input: { queue: "north", host: "h", name: $key, version: "1", idempotencyKey: $key, hardware: { architecture: "x86_64", cores: 8, memoryMiB: 16000, diskMiB: 100000 } }) { worker { id } userErrors { message } } }';
const acquire =
  'mutation ($worker: ID!, $count: Int!) { acquireJobs(input: { workerId: $worker, count: $count, waitSeconds: 60, free: { cores: 8, memoryMiB: 16000, diskMiB: 100000 } }) { assignments { fence job { id state } } userErrors { message } } }';
const acquireAndWait =
  'mutation ($worker: ID!) { acquireJobs(input: { workerId: $worker, count: 1, waitSeconds: 60, free: { cores: 8, memoryMiB: 16000, diskMiB: 100000 } }) { assignments { fence } userErrors { message } } }';
const startJobs =
  'mutation ($input: StartJobsInput!) { startJobs(input: $input) { acceptedIds userErrors { message } } }';
const finishJobs =
  'mutation ($input: FinishJobsInput!) { finishJobs(input: $input) { acceptedIds userErrors { message } } }';
const viewer = '{ viewer { subject } }';
const changes =
  'subscription ($after: String) { jobStateChanged(after: $after) { cursor event { state job { id } } } }';

/** Follows job changes over a socket, as states. */
function follow(origin: string, token: string) {
  const socket = createSocketClient({
    url: `${origin.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization: `Bearer ${token}` },
  });
  leftovers.defer('a socket', async () => socket.dispose());
  const states: (string | null)[] = [];
  const closed = new Promise<{ readonly code?: number }>((resolve) => {
    socket.on('closed', (event) => resolve(event as { code?: number }));
  });
  const take = ({ data }: { data?: unknown }): void => {
    const { jobStateChanged } = data as { jobStateChanged: { event: { state: string } | null } };
    states.push(jobStateChanged.event?.state ?? null);
  };
  socket.subscribe({ query: changes }, { next: take, error: () => undefined, complete: () => undefined });
  return { states, closed };
}

describe('core as a process', () => {
  it('serves job cycles over HTTP and their events over WebSocket, and drains on SIGTERM', async () => {
    const database = (await testDatabase('bin')).databaseName;
    const { process, origin } = await startBin('core', database);
    const token = await tokens.call('core', tokens.admin());
    const admin = caller(origin, () => tokens.call('core', tokens.admin()));
    const pilot = caller(origin, () => tokens.call('core', tokens.pilot('north')));
    expect(await admin(register)).toEqual({
      registerExperiment: { userErrors: [] },
      createQueue: { userErrors: [] },
    });
    const { states, closed } = follow(origin, token);
    await waitFor('the opening message', () => states.length === 1, { deadlineMs: 60_000 });
    await admin(submit, { key: 'k', jobs: [{ name: 'a', payload: { command: 'true' } }] });
    const worker = (await pilot(registerWorker, { key: 'one' }))['registerWorker']?.['worker']?.['id'];
    const { acquireJobs } = await pilot(acquire, { worker, count: 1 });
    const assignment = acquireJobs?.['assignments']?.[0];
    const job = { id: assignment?.['job']?.['id'], fence: assignment?.['fence'] };
    await pilot(startJobs, { input: { workerId: worker, jobs: [{ ...job, phase: 'RUNNING' }] } });
    await pilot(finishJobs, { input: { workerId: worker, jobs: [job] } });
    await waitFor('the end', () => states.length === 5, { deadlineMs: 60_000 });
    expect(states).toEqual([null, 'ACTIVATED', 'SENT', 'RUNNING', 'FINISHED']);
    await expect(caller(origin, () => tokens.admin())(viewer)).rejects.toThrow('UNAUTHENTICATED');
    const forAlpha = tokens.call('alpha', tokens.admin());
    await expect(caller(origin, () => forAlpha)(viewer)).rejects.toThrow('UNAUTHENTICATED');
    await expect(caller(origin, () => tokens.foreign())(viewer)).rejects.toThrow('UNAUTHENTICATED');
    const waiting = pilot(acquireAndWait, { worker }).then(
      ({ acquireJobs: answer }) => answer?.['assignments'],
      (error: unknown) => String(error),
    );
    // The answer proves that the worker's call has arrived.
    for (let round = 0; round < 5; round++) await admin(viewer);
    process.signal('SIGTERM');
    expect(await waitFor('the socket to be closed', closed, { deadlineMs: 60_000 })).toMatchObject({
      code: 1001,
    });
    expect(await waitFor('the end of the process', process.exited, { deadlineMs: 60_000 })).toEqual({
      code: 0,
      signal: null,
    });
    expect(await waiting).toContain('LEADER_UNAVAILABLE');
    expect(process.stderr).toEqual([]);
    expect(process.lines.join('\n')).not.toContain(token);
  });

  it('shares the work between two processes: a standby forwards calls, and takes over when the leader is killed', async () => {
    const database = (await testDatabase('bin')).databaseName;
    const first = await startBin('leader', database);
    await first.process.line(/leadership gained/, 60_000);
    const second = await startBin('standby', database);
    const admin = caller(second.origin, () => tokens.call('core', tokens.admin()));
    const pilot = caller(second.origin, () => tokens.call('core', tokens.pilot('north')));
    await admin(register);
    const jobs = Array.from({ length: 4 }, (_, index) => ({
      name: `job ${index}`,
      payload: { command: 'true' },
    }));
    await admin(submit, { key: 'k', jobs });
    const worker = (await pilot(registerWorker, { key: 'one' }))['registerWorker']?.['worker']?.['id'];
    const fencesOf = (answer: Answer) =>
      (answer['acquireJobs']?.['assignments'] as unknown as readonly { fence: number }[]).map(
        ({ fence }) => fence,
      );
    const forwarded = fencesOf(await pilot(acquire, { worker, count: 2 }));
    expect(forwarded).toHaveLength(2);
    await first.process.kill('SIGKILL');
    const after = await waitFor(
      'grants of the next leader',
      async () => {
        const fences = await pilot(acquire, { worker, count: 2 }).then(fencesOf, () => []);
        return fences.length > 0 && fences;
      },
      { deadlineMs: 60_000 },
    );
    expect(after).toHaveLength(2);
    expect(Math.min(...after)).toBeGreaterThan(Math.max(...forwarded));
    expect((await second.process.kill('SIGTERM')).code).toBe(0);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['no keys of the gateway', { RHIZOME_CORE_GATEWAY_KEYS_JWKS_FILE: '' }, /jwksUri or jwksFile/],
    [
      'a wrong port and a wrong level',
      { RHIZOME_CORE_PORT: '70000', RHIZOME_CORE_LOG_LEVEL: 'loud' },
      /RHIZOME_CORE_PORT[^]*RHIZOME_CORE_LOG_LEVEL/,
    ],
    [
      'two sources of keys',
      { RHIZOME_CORE_GATEWAY_KEYS_JWKS_URI: 'https://a.test' },
      /either jwksUri or jwksFile/,
    ],
    ['missing keys', { RHIZOME_CORE_GATEWAY_KEYS_JWKS_FILE: '/nowhere/keys.json' }, /\/nowhere\/keys\.json/],
  ])('reports %s and exits', async (_what, over, expected) => {
    const env = {
      RHIZOME_CORE_MONGO_URI: 'mongodb://someone:hunter2@127.0.0.1:1',
      RHIZOME_CORE_GATEWAY_KEYS_JWKS_FILE: keys,
      ...over,
    };
    const process = spawnProcess({ name: 'core', command: 'node', args: [bin], env });
    expect((await process.exited).code).toBe(1);
    expect(process.stderr.join('\n')).toMatch(expected);
    expect(process.lines.join('\n')).not.toContain('hunter2');
  });
});
