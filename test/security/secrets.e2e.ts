// A real pilot runs a job with secrets in a sandbox, behind a real gateway and a real core. The secrets reach
// the payload, and nothing else.
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { createProofKey } from '@rhizome/client';
import { masterKeysOf } from '@rhizome/core';
import { createLogger } from '@rhizome/log';
import { connectMongo } from '@rhizome/mongo';
import { leftovers, type TestClient, testMongo, waitFor } from '@rhizome/testkit';
import { decodeJwt } from 'jose';
import { type AnyData, type Answer, apiOf } from '../e2e/system/api.js';
import { type IdentitySystem, prepareWork, startIdentitySystem } from '../e2e/system/identity-system.js';
import type { RunningPilot } from '../e2e/system/pilots.js';
import { temporaryFolder } from '../e2e/system/temporary-folder.js';
import { testAudit } from '../e2e/system/test-audit.js';
import type { SpokenCredential, WorkerPlace } from '../e2e/system/worker-credentials.js';
import { enrol, invitationFile, startPilot, stolen } from './enrolled-pilots.js';

/** Values that must not be anywhere but in the payload. */
const password = 'canary-Pa55 w0rd/é';
const keyText = `-----BEGIN KEY-----\ncanaryKeyLine0001\ncanaryKeyLine0002\n-----END KEY-----\n`;
const rotated = 'canary-rotated-later';
const canary = /canary/i;

const archive = {
  ...{ name: 'archive-1', audience: 'https://archive.test', experiments: ['alpha'] },
  ...{ read: ['/data'], create: ['/jobs/{job}'] },
};

let started: IdentitySystem;
let system: WorkerPlace;
let store: TestClient;
let databases: readonly string[];
const logged: string[] = [];
const answers: string[] = [];
const log = createLogger({
  name: 'system',
  level: 'debug',
  destination: { write: (line: string): void => void logged.push(line) },
});

beforeAll(async () => {
  const folder = await temporaryFolder('secrets');
  const { uri: mongoUri } = await testMongo();
  store = leftovers.use(await connectMongo({ uri: mongoUri, appName: 'test' }), 'the client of the store');
  const { audit, database: auditDatabase } = await testAudit({ log });
  const keys = await masterKeysOf({ masterKeyFile: join(folder, 'master.keys') });
  started = await startIdentitySystem({
    ...{ folder, attemptSeconds: 60, log, storages: [archive] },
    core: { config: { secrets: { keys } } },
    gateway: { audit },
  });
  const { core, identity } = started.databases;
  databases = [identity.databaseName, auditDatabase, core.databaseName];
  system = { url: started.url, data: folder, token: started.admin };
  await prepareWork(apiOf(system.url, system.token));
});

/** Calls as an administrator, or as somebody else; the answer is kept. */
async function ask(
  query: string,
  variables?: object,
  api = apiOf(system.url, system.token),
): Promise<Answer<AnyData>> {
  const answer = await api.post<AnyData>(query, variables);
  answers.push(JSON.stringify(answer));
  return answer;
}

async function enrolled(name: string, ...more: readonly string[]): Promise<RunningPilot> {
  const { exited } = enrol(system, name, ['--code-file', await invitationFile(system)]);
  expect(await exited).toMatchObject({ code: 0 });
  return startPilot(system, name, ...more);
}

interface Held {
  readonly workerId: string;
  readonly jobId: string;
  readonly fence: number;
}

/** Code of the error of a request for secrets. @param signer the key that signs it */
async function redeem(
  held: Held,
  credential: SpokenCredential,
  signer = credential.key,
  secretIds = ids,
): Promise<string> {
  const { x, y } = createProofKey().export();
  const claims = { ...held, key: { kty: 'EC', crv: 'P-256', x, y } };
  const request = signer.statement('rhizome-secrets-request+jwt', claims);
  const { data } = await ask(
    'mutation ($input: RedeemSecretsInput!) { redeemSecrets(input: $input) { sealed userErrors { code } } }',
    { input: { ...held, secretIds, request } },
    credential.apiAt(system.url),
  );
  const { sealed, userErrors } = data.redeemSecrets;
  return sealed === null ? userErrors[0].code : 'delivered';
}

async function submit(shell: string, more: object = {}, requirements: object = {}): Promise<string> {
  const secrets = [
    { name: 'PASSWORD', as: 'VARIABLE' },
    { name: 'KEY', scope: 'EXPERIMENT', target: 'service.key' },
  ];
  const job = {
    name: 'with secrets',
    payload: { command: 'sh', arguments: ['-c', shell], secrets, ...more },
    requirements: { queue: 'north', memoryMiB: 64, diskMiB: 1, ...requirements },
  };
  const { data } = await ask(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { code path } } }',
    { input: { experiment: 'alpha', idempotencyKey: `key ${(serial += 1)}`, jobs: [job] } },
  );
  const [found] = data.submitJobs.jobs;
  return found?.id ?? JSON.stringify(data.submitJobs.userErrors);
}
let serial = 0;

interface JobView {
  readonly state: string;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly attempts: readonly { readonly fence: number; readonly workerId: string }[];
  readonly log: { readonly chunks: readonly { readonly text: string }[] };
}

async function jobOf(id: string): Promise<JobView> {
  const text =
    'query ($id: ID!) { job(id: $id) { state error { code message } log(first: 1000) { chunks { text } } } }';
  return (await ask(text, { id })).data.job;
}

async function reached(id: string, ...states: readonly string[]): Promise<JobView> {
  return waitFor(
    `job ${id} in ${states.join(' or ')}`,
    async () => {
      const job = await jobOf(id);
      return states.includes(job.state) && job;
    },
    { deadlineMs: 120_000 },
  );
}

const textOf = ({ chunks }: JobView['log']): string => chunks.map(({ text }) => text).join('');

const cancel = (id: string): Promise<unknown> =>
  ask('mutation ($id: ID!) { cancelJobs(input: { selection: { ids: [$id] } }) { userErrors { code } } }', {
    id,
  });

const ended = (id: string): Promise<JobView> => reached(id, 'FINISHED', 'FAILED');
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
const create = (input: object): Promise<Answer<AnyData>> =>
  ask(
    'mutation ($i: CreateSecretInput!) { createSecret(input: $i) { secret { id } userErrors { message } } }',
    { i: input },
  );

/** A write of the store; those of a transaction are in `applyOps`. */
interface OplogEntry {
  readonly ns: string;
  readonly o: { readonly applyOps?: readonly OplogEntry[] };
}

/** Makes one write that is in the oplog as a transaction is, so that the search must find some. */
async function writeInTransaction(): Promise<void> {
  const controls = store.db(databases[0]).collection('controls');
  await store.withSession((session) =>
    session.withTransaction(() => controls.insertOne({ text: 'in a transaction' }, { session })),
  );
}

let pilot: RunningPilot;
let ids: string[];

describe('a job with secrets', () => {
  it('is not sent to a worker that does not isolate payloads', async () => {
    const made = await Promise.all([
      create({ name: 'PASSWORD', value: password }),
      create({ name: 'KEY', value: keyText, experiment: 'alpha' }),
    ]);
    ids = made.map(({ data }) => String(data.createSecret.secret.id));
    const open = await enrolled('open', '--isolation', 'none');
    const id = await submit('true');
    const pending = await waitFor(
      'an explanation',
      async () => {
        const { data } = await ask('query ($id: ID!) { job(id: $id) { state pending { summary } } }', { id });
        return data.job.pending?.summary && data.job;
      },
      { deadlineMs: 60_000 },
    );
    expect(pending.state).toBe('ACTIVATED');
    expect(pending.pending.summary).toMatch(/has no isolation .* needs bubblewrap/);
    open.process.signal('SIGTERM');
    await open.process.exited;
    await cancel(id);
  });

  it('receives them as a file and as a variable', async () => {
    pilot = await enrolled('closed');
    const id = await submit(`
      printf %s "$PASSWORD" | sha256sum
      sha256sum < "$RHIZOME_SECRETS/service.key"
      stat -c 'mode %a' "$RHIZOME_SECRETS/service.key"
      touch "$RHIZOME_SECRETS/forged" 2>/dev/null || echo read-only`);
    const { state, log: output } = await ended(id);
    expect(state).toBe('FINISHED');
    const text = textOf(output);
    expect(text).toContain(digest(password));
    expect(text).toContain(digest(keyText));
    expect(text).toContain('mode 400');
    expect(text).toContain('read-only');
  });

  it('cannot show them in its log', async () => {
    const id = await submit(`
      echo "password is $PASSWORD."; printf %s "$PASSWORD" | base64; printf 'x:%s:y' "$PASSWORD" | base64
      cat "$RHIZOME_SECRETS/service.key"; env
      for part in "\${PASSWORD%????????}" "\${PASSWORD#\${PASSWORD%????????}}"; do printf %s "$part"; sleep 0.4; done
      echo; echo done >&2`);
    const { state, log: output } = await ended(id);
    expect(state).toBe('FINISHED');
    const text = textOf(output);
    expect(text).toContain('password is ***.');
    expect(text).toContain('done');
    expect(text).not.toMatch(/canary|Pa55|Y2FuYXJ5/);
  });

  it('gets the newest version, and fails without one of them', async () => {
    await ask(
      'mutation ($i: RotateSecretInput!) { rotateSecret(input: $i) { secret { version } userErrors { code } } }',
      { i: { id: ids[0], value: rotated } },
    );
    const first = await ended(await submit('printf %s "$PASSWORD" | sha256sum'));
    expect(textOf(first.log)).toContain(digest(rotated));
    const { data } = await create({ name: 'SHORT-LIVED', value: 'canary-short-lived' });
    const secrets = [{ name: 'SHORT-LIVED' }];
    const hold = { ...{ secrets }, command: 'true', arguments: [] };
    const far = { selector: 'worker.name == "later"' };
    const id = await submit('', hold, far);
    await ask('mutation ($id: ID!) { deleteSecret(input: { id: $id }) { isDeleted } }', {
      id: data.createSecret.secret.id,
    });
    expect(await submit('', hold)).toContain('SECRET_NOT_FOUND');
    const later = await enrolled('later');
    expect((await reached(id, 'FAILED')).error).toMatchObject({ code: 'SECRET_UNAVAILABLE' });
    later.process.signal('SIGTERM');
    await later.process.exited;
  });

  it('has a token that reads its own job, is renewed, and ends with the attempt', async () => {
    // Backwards, because the log does not show a token.
    const loop = `
      [ "$(cat "$RHIZOME_JOB_TOKEN_FILE")" = "$RHIZOME_JOB_TOKEN" ] && echo "same $RHIZOME_JOB_TOKEN"
      last=; while :; do
        now=$(cat "$RHIZOME_JOB_TOKEN_FILE")
        if [ "$now" != "$last" ]; then printf %s "$now" | rev; echo; last=$now; fi
        sleep 0.2
      done`;
    const id = await submit(loop, { secrets: [], isTokenRequired: true });
    const other = await submit('true', {}, { selector: 'worker.name == "nobody"' });
    const output = async (): Promise<string> => textOf((await jobOf(id)).log);
    const tokens = await waitFor(
      'a renewed token',
      async () => {
        const lines = (await output()).split('\n').map((line) => [...line].reverse().join(''));
        const found = lines.filter((line) => line.startsWith('eyJ'));
        return found.length > 1 && found;
      },
      { deadlineMs: 120_000 },
    );
    expect(await output()).toContain('same ***');
    expect(await output()).not.toContain(tokens[0]);
    const token = tokens.at(-1) ?? '';
    const asked = async (text: string): Promise<unknown> => {
      const { data, errors } = await apiOf(system.url, token).post<object>(text);
      return errors?.[0]?.extensions.code ?? data;
    };
    const job = `{ job(id: "${id}") { state log(first: 1) { chunks { stream } } } }`;
    expect(await asked(job)).toMatchObject({
      job: { state: 'RUNNING', log: { chunks: [{ stream: 'STDOUT' }] } },
    });
    expect(await asked(`{ job(id: "${other}") { state } }`)).toEqual({ job: null });
    for (const text of [
      '{ jobs { nodes { id } } }',
      '{ jobCounts { count } }',
      '{ secrets { nodes { name } } }',
      '{ viewer { subject } }',
      '{ experiments { nodes { name } } }',
      '{ auditEntries { nodes { id } } }',
      'mutation { submitJobs(input: { experiment: "alpha", idempotencyKey: "x", jobs: [{ name: "x", payload: { command: "true" } }] }) { userErrors { code } } }',
      `mutation { cancelJobs(input: { selection: { ids: ["${other}"] } }) { userErrors { code } } }`,
    ])
      expect([text, await asked(text)]).toEqual([text, 'FORBIDDEN']);
    for (const one of [id, other]) await cancel(one);
    await reached(id, 'CANCELLED');
    expect(await asked(job)).toEqual({ job: null });
  });

  it('has a fresh token for the storage of its experiment, for as long as it runs', async () => {
    const id = await submit(
      `last=; while :; do
        now=$(cat "$RHIZOME_STORAGE_TOKEN_FILE_ARCHIVE_1")
        if [ "$now" != "$last" ]; then printf %s "$now" | rev; echo; last=$now; fi
        sleep 0.2
      done`,
      { secrets: [], isTokenRequired: true },
    );
    const found = await waitFor(
      'a renewed token for the storage',
      async () => {
        const lines = textOf((await jobOf(id)).log).split('\n');
        const tokens = lines
          .map((line) => [...line].reverse().join(''))
          .filter((one) => one.startsWith('eyJ'));
        return tokens.length > 1 && tokens;
      },
      { deadlineMs: 120_000 },
    );
    const [first, next] = found.map((token) => decodeJwt(token));
    for (const claims of [first, next])
      expect(claims).toMatchObject({
        ...{ aud: archive.audience, scope: `storage.read:/data storage.create:/jobs/${id}` },
      });
    expect(Number(next?.exp)).toBeGreaterThan(Number(first?.exp));
    const { errors } = await apiOf(started.url, found[0]).post('{ viewer { subject } }');
    expect(errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    await cancel(id);
    await reached(id, 'CANCELLED');
  });

  it('has secrets that nobody but the holder of its fence receives', async () => {
    const other = await enrolled('other');
    const id = await submit('sleep 600', {}, { selector: 'worker.name == "closed"' });
    await reached(id, 'RUNNING');
    const jobs = started.databases.core.collection<{ _id: string; fence: number }>('jobs');
    const job = await jobs.findOne({ _id: id });
    const held = { workerId: pilot.workerId, jobId: id, fence: Number(job?.fence) };
    const [own, thief] = [stolen(system, 'closed'), stolen(system, 'other')];
    expect(await redeem(held, thief)).toBe('WORKER_NOT_FOUND');
    expect(await redeem({ ...held, workerId: other.workerId }, thief)).toBe('FENCE_STALE');
    expect(await redeem({ ...held, fence: held.fence - 1 }, own)).toBe('FENCE_STALE');
    expect(await redeem({ ...held, jobId: 'job_nowhere' }, own)).toBe('JOB_NOT_FOUND');
    expect(await redeem(held, own, createProofKey())).toBe('INVALID_VALUE');
    expect(await redeem(held, own, thief.key)).toBe('INVALID_VALUE');
    expect(await redeem(held, own, own.key, ['secret_other'])).toBe('SECRET_NOT_FOUND');
    expect(await redeem(held, own)).toBe('delivered');
    await cancel(id);
    await reached(id, 'CANCELLED');
    expect(await redeem(held, own)).toBe('FENCE_STALE');
    for (const { process } of [pilot, other]) process.signal('SIGTERM');
    for (const { process } of [pilot, other]) await process.exited;
    answers.push(...[pilot, other].flatMap(({ process }) => process.lines));
  });

  it('leaves an entry of each delivery in the audit log', async () => {
    const { data } = await ask(
      '{ auditEntries(filter: { kind: SECRET_READ }, first: 100) { nodes { actor { kind workerId } targets { ids } result } } }',
    );
    const reads = data.auditEntries.nodes as { actor: object; targets: { ids: string[] }; result: string }[];
    expect(reads.length).toBeGreaterThanOrEqual(4);
    const own = reads.filter(({ result }) => result === 'SUCCEEDED');
    expect(own[0]).toMatchObject({ actor: { kind: 'PILOT', workerId: pilot.workerId } });
    expect(own[0]?.targets.ids).toEqual(expect.arrayContaining(ids));
    expect(reads.some(({ result }) => result === 'REJECTED')).toBe(true);
  });

  it('leaves one entry of the tokens of each attempt in the audit log', async () => {
    const { data } = await ask(
      '{ auditEntries(filter: { kind: LOGIN }, first: 100) { nodes { action actor { kind workerId } targets { ids } result } } }',
    );
    const nodes = data.auditEntries.nodes as { action: string }[];
    const entry = {
      action: 'oauth.attempt',
      actor: { kind: 'PILOT', workerId: pilot.workerId },
      targets: { ids: [expect.stringMatching(/^job_/), archive.name] },
      result: 'SUCCEEDED',
    };
    expect(nodes.filter(({ action }) => action === 'oauth.attempt')).toEqual([entry, entry]);
  });

  it('leaves no value in the store, the oplog, logs, answers and files', async () => {
    let documents = 0;
    for (const name of databases)
      for (const { name: collection } of await store.db(name).listCollections().toArray())
        for await (const document of store.db(name).collection(collection).find()) {
          documents += 1;
          expect(JSON.stringify(document)).not.toMatch(canary);
        }
    expect(documents).toBeGreaterThan(20);
    await writeInTransaction();
    let inTransactions = 0;
    for await (const entry of store.db('local').collection<OplogEntry>('oplog.rs').find()) {
      // The writes of a transaction are one entry of another namespace. Other files use the store, too.
      const writes = entry.ns === 'admin.$cmd' ? (entry.o.applyOps ?? []) : [entry];
      const own = writes.filter(({ ns }) => databases.some((name) => ns.startsWith(`${name}.`)));
      if (entry.ns === 'admin.$cmd') inTransactions += own.length;
      expect(JSON.stringify(own)).not.toMatch(canary);
    }
    expect(inTransactions).toBeGreaterThan(0);
    expect(logged.length).toBeGreaterThan(10);
    for (const text of [...logged, ...answers]) expect(text).not.toMatch(canary);
    const left = (await readdir('/dev/shm')).filter((name) => name.startsWith('rhizome-secrets-'));
    for (const name of left) expect(name).not.toMatch(new RegExp(`-${pilot.process.pid}-`));
  });
});
