import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type ApiClient, createClient, type TypedDocumentNode } from '@rhizome/client';
import { leftovers, spawnProcess, testDatabase, testMongo, type TestProcess, type TestTokens, testTokens, waitFor } from '@rhizome/testkit';
import { parse } from 'graphql';

jest.setTimeout(120_000);

const bin = fileURLToPath(new URL('./bin.js', import.meta.url));

/** What an answer holds is asserted, not typed. */
type Free = TypedDocumentNode<Record<string, never>, Record<string, unknown>>;
const gql = (text: string): Free => parse(text) as Free;

let tokens: TestTokens;
let keys: string;

beforeAll(async () => {
  tokens = await testTokens();
  const folder = await mkdtemp(join(tmpdir(), 'core-bin-'));
  leftovers.defer('the folder of keys', () => rm(folder, { recursive: true, force: true }));
  keys = join(folder, 'jwks.json');
  await writeFile(keys, JSON.stringify(tokens.trusted.jwks));
});

/** Starts core as a process; resolves when it is ready. */
async function startBin(name: string, database: string, over: Record<string, string> = {}): Promise<{ readonly process: TestProcess; readonly origin: string }> {
  const { uri } = await testMongo();
  const env = {
    RHIZOME_CORE_MONGO_URI: uri,
    RHIZOME_CORE_DATABASE: database,
    RHIZOME_CORE_PORT: '0',
    RHIZOME_CORE_ISSUERS: JSON.stringify([{ issuer: tokens.trusted.issuer, jwksFile: keys }]),
    RHIZOME_CORE_BROKER_LEASE_MS: '2000',
    RHIZOME_CORE_BROKER_RENEW_MS: '400',
    ...over,
  };
  const process = spawnProcess({ name, command: 'node', args: [bin], env });
  const [, address] = await process.line(/"address":"([^"]+)"/, 15_000);
  const origin = `http://${address}`;
  await waitFor(`${name} to be ready`, async () => (await fetch(`${origin}/readyz`)).status === 200, { deadlineMs: 15_000 });
  return { process, origin };
}

function client(origin: string, token: () => Promise<string>): ApiClient {
  return leftovers.use(createClient({ url: `${origin}/graphql`, token }), 'a client');
}

const register = gql('mutation { registerExperiment(input: { name: "alpha", title: "Alpha" }) { userErrors { message } } createQueue(input: { name: "north", site: "Pole" }) { userErrors { message } } }');
const submit = gql('mutation ($jobs: [JobInput!]!, $key: String!) { submitJobs(input: { experiment: "alpha", idempotencyKey: $key, jobs: $jobs }) { jobs { id state } userErrors { message } } }');
const registerWorker = gql(
  'mutation ($key: String!) { registerWorker(input: { queue: "north", host: "h", name: $key, version: "1", idempotencyKey: $key, hardware: { architecture: "x86_64", cores: 8, memoryMiB: 16000, diskMiB: 100000 } }) { worker { id } userErrors { message } } }',
);
const acquire = gql(
  'mutation ($worker: ID!, $count: Int!) { acquireJobs(input: { workerId: $worker, count: $count, waitSeconds: 5, free: { cores: 8, memoryMiB: 16000, diskMiB: 100000 } }) { assignments { fence job { id state } } userErrors { message } } }',
);
const startJobs = gql('mutation ($input: StartJobsInput!) { startJobs(input: $input) { acceptedIds userErrors { message } } }');
const finishJobs = gql('mutation ($input: FinishJobsInput!) { finishJobs(input: $input) { acceptedIds userErrors { message } } }');
const changes = gql('subscription ($after: String) { jobStateChanged(after: $after) { cursor state job { id } } }');

const once = { idempotent: true };
/** Answers as plain data. */
const plain = (answer: unknown) => JSON.parse(JSON.stringify(answer)) as Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any

describe('core as a process', () => {
  test('serves lives of jobs over HTTP and their events over WebSocket, and drains on SIGTERM', async () => {
    const database = (await testDatabase('bin')).databaseName;
    const { process, origin } = await startBin('core', database);
    const admin = client(origin, () => tokens.admin());
    const pilot = client(origin, () => tokens.pilot('north'));
    expect(plain(await admin.mutate(register, {}, once))).toEqual({ registerExperiment: { userErrors: [] }, createQueue: { userErrors: [] } });
    const told: string[] = [];
    const stream = admin.subscribeResumable(changes, {}, { cursorOf: (data) => plain(data)['jobStateChanged'].cursor });
    const reading = (async () => {
      for await (const data of stream) told.push(plain(data)['jobStateChanged'].state);
    })();
    await waitFor('the opening message', () => told.length === 1, { deadlineMs: 5000 });
    await admin.mutate(submit, { key: 'k', jobs: [{ name: 'a', payload: { command: 'true' } }] }, once);
    const worker = plain(await pilot.mutate(registerWorker, { key: 'one' }, once))['registerWorker'].worker.id;
    const [assignment] = plain(await pilot.mutate(acquire, { worker, count: 1 }, once))['acquireJobs'].assignments;
    const job = { id: assignment.job.id, fence: assignment.fence };
    await pilot.mutate(startJobs, { input: { workerId: worker, jobs: [{ ...job, phase: 'RUNNING' }] } }, once);
    await pilot.mutate(finishJobs, { input: { workerId: worker, jobs: [job] } }, once);
    await waitFor('the end', () => told.length === 5, { deadlineMs: 5000 });
    expect(told).toEqual([null, 'ACTIVATED', 'SENT', 'RUNNING', 'FINISHED']);
    await stream.return?.();
    await reading;
    await expect(client(origin, () => tokens.expired()).query(gql('{ viewer { subject } }'), {}, { retry: { attempts: 1 } })).rejects.toMatchObject({ code: 'TOKEN_EXPIRED' });
    process.signal('SIGTERM');
    expect(await waitFor('the end of the process', process.exited, { deadlineMs: 5000 })).toEqual({ code: 0, signal: null });
    expect(process.stderr.join('\n')).not.toMatch(/error/i);
    for (const secret of [await tokens.admin()]) expect(process.lines.join('\n')).not.toContain(secret);
  });

  test('two processes share the work: a standby forwards, and takes over when the leader is killed', async () => {
    const database = (await testDatabase('bin')).databaseName;
    const first = await startBin('leader', database);
    await first.process.line(/leads the broker/, 5000);
    const second = await startBin('standby', database);
    const admin = client(second.origin, () => tokens.admin());
    const pilot = client(second.origin, () => tokens.pilot('north'));
    await admin.mutate(register, {}, once);
    const jobs = Array.from({ length: 4 }, (_, index) => ({ name: `job ${index}`, payload: { command: 'true' } }));
    await admin.mutate(submit, { key: 'k', jobs }, once);
    const worker = plain(await pilot.mutate(registerWorker, { key: 'one' }, once))['registerWorker'].worker.id;
    const forwarded = plain(await pilot.mutate(acquire, { worker, count: 2 }, once))['acquireJobs'];
    expect(forwarded.assignments).toHaveLength(2);
    await first.process.kill('SIGKILL');
    const after = await waitFor(
      'grants of the next leader',
      async () => {
        const answer = await pilot.mutate(acquire, { worker, count: 2 }, once).then(plain, () => undefined);
        return answer?.['acquireJobs'].assignments.length > 0 && answer?.['acquireJobs'].assignments;
      },
      { deadlineMs: 10_000 },
    );
    const fences = [...forwarded.assignments, ...after].map(({ fence }: { fence: number }) => fence);
    expect(new Set(fences).size).toBe(fences.length);
    expect(Math.min(...after.map(({ fence }: { fence: number }) => fence))).toBeGreaterThan(Math.max(...forwarded.assignments.map(({ fence }: { fence: number }) => fence)));
    expect((await second.process.kill('SIGTERM')).code).toBe(0);
  });

  test.each<[string, Record<string, string>, RegExp]>([
    ['no issuer', { RHIZOME_CORE_ISSUERS: '' }, /RHIZOME_CORE_ISSUERS/],
    ['a wrong port and a wrong level', { RHIZOME_CORE_PORT: '70000', RHIZOME_CORE_LOG_LEVEL: 'loud' }, /RHIZOME_CORE_PORT[^]*RHIZOME_CORE_LOG_LEVEL/],
    ['an issuer with two sources', { RHIZOME_CORE_ISSUERS: '[{"issuer":"a","jwksUri":"https://a.test","jwksFile":"b"}]' }, /either jwksUri or jwksFile/],
    ['keys that are not there', { RHIZOME_CORE_ISSUERS: '[{"issuer":"a","jwksFile":"/nowhere/keys.json"}]' }, /\/nowhere\/keys\.json/],
  ])('with %s says so and ends', async (_what, over, expected) => {
    const env = { RHIZOME_CORE_MONGO_URI: 'mongodb://someone:hunter2@127.0.0.1:1', RHIZOME_CORE_ISSUERS: '[]', ...over };
    const process = spawnProcess({ name: 'core', command: 'node', args: [bin], env });
    expect((await process.exited).code).toBe(1);
    expect(process.stderr.join('\n')).toMatch(expected);
    expect(process.lines.join('\n')).not.toContain('hunter2');
  });
});
