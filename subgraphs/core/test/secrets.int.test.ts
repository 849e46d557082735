import { randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { createLogger } from '@rhizome/log';
import { testDatabase, type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { open } from '../src/secrets/envelope.js';
import { loadFileMasterKeys } from '../src/secrets/file-master-keys.js';
import type { MasterKeys } from '../src/secrets/master-keys.types.js';
import { ownerOf } from '../src/secrets/secret-owner.js';
import type { SecretDocument } from '../src/secrets/secret.document.js';
import { startCore, type TestCore } from './support/core.fixture.js';

let folder: string;
let keyFile: string;
let keys: MasterKeys;
let core: TestCore & { readonly db: TestDatabase };
const logged: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secrets-'));
  keyFile = join(folder, 'master.keys');
  keys = await loadFileMasterKeys(keyFile);
  const destination = { write: (chunk: string): void => void logged.push(chunk) };
  const log = createLogger({ name: 'core', level: 'debug', destination });
  const limits = { count: 3, bytes: 200 };
  const secrets = { keys, limits, rewrapEveryMs: 20, rewrapBatchSize: 2 };
  core = await startCore({ log, config: { secrets } });
  const text =
    'mutation ($i: RegisterExperimentInput!) { registerExperiment(input: $i) { userErrors { code } } }';
  for (const name of ['alpha', 'beta']) await core.ask(text, { i: { name, title: name } });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const user = (subject: string, role = 'USER'): Principal =>
  testPrincipal({ subject, grants: { alpha: role as 'USER' } });

/** Answer of a root field, or the code of its error. */
interface Outcome {
  readonly secret: { readonly id: string; readonly [field: string]: unknown };
  readonly userErrors: readonly { readonly code: string; readonly path: readonly string[] }[];
}

interface Listed {
  readonly nodes: readonly { readonly id: string; readonly name: string }[];
}

async function ask<T>(text: string, variables: object, principal: Principal): Promise<T> {
  const { data, errors = [] } = await core.run(text, variables, principal);
  if (errors[0]) return { code: errors[0].extensions?.['code'] } as T;
  return Object.values(JSON.parse(JSON.stringify(data)) as Record<string, T>)[0] as T;
}

const fields =
  'id name scope version expiresAt sizeBytes lastUsedAt owner { subject } experiment { name } versions { number createdBy { subject } }';
const create = (principal: Principal, input: object): Promise<Outcome> =>
  ask(
    `mutation ($i: CreateSecretInput!) { createSecret(input: $i) { secret { ${fields} } userErrors { code path message } } }`,
    { i: { name: 'TOKEN', value: 'canary-value', ...input } },
    principal,
  );
const rotate = (principal: Principal, input: object): Promise<Outcome> =>
  ask(
    `mutation ($i: RotateSecretInput!) { rotateSecret(input: $i) { secret { ${fields} } userErrors { code path message } } }`,
    { i: { value: 'canary-rotated', ...input } },
    principal,
  );
const remove = (principal: Principal, id: string): Promise<unknown> =>
  ask(
    'mutation ($i: DeleteSecretInput!) { deleteSecret(input: $i) { isDeleted } }',
    { i: { id } },
    principal,
  );
const list = (principal: Principal, experiment?: string): Promise<Listed> =>
  ask(
    'query ($e: String) { secrets(experiment: $e) { nodes { id name } totalCount } }',
    { e: experiment },
    principal,
  );
const read = (principal: Principal, id: string): Promise<unknown> =>
  ask(`query ($id: ID!) { secret(id: $id) { ${fields} } }`, { id }, principal);
const codes = ({ userErrors }: Outcome): unknown => userErrors.map(({ code }) => code);
const stored = async (id: string): Promise<SecretDocument> =>
  (await core.db.collection<SecretDocument>('secrets').findOne({ _id: id })) as SecretDocument;
const valueOf = async (id: string, by = keys): Promise<string> => {
  const secret = await stored(id);
  return (await open(secret.envelope, ownerOf(secret), by)).toString();
};

describe('createSecret', () => {
  it('stores a secret of the caller, encrypted, and returns everything but its value', async () => {
    const ada = user('ada@example');
    const { secret, userErrors } = await create(ada, { expiresAt: '2999-01-01T00:00:00.000Z' });
    expect(userErrors).toEqual([]);
    expect(secret).toMatchObject({
      ...{ name: 'TOKEN', scope: 'USER', version: 1, sizeBytes: 12, lastUsedAt: null, experiment: null },
      ...{ owner: { subject: 'ada@example' }, expiresAt: '2999-01-01T00:00:00.000Z' },
    });
    expect(await valueOf(secret.id)).toBe('canary-value');
    expect(JSON.stringify(await stored(secret.id))).not.toContain('canary');
    expect(codes(await create(ada, {}))).toEqual(['SECRET_NAME_TAKEN']);
    await remove(ada, secret.id);
  });

  it('stores a secret of an experiment for those who manage its secrets', async () => {
    const { secret } = await create(user('pam@example', 'PRODUCTION'), { experiment: 'alpha' });
    expect(secret).toMatchObject({ scope: 'EXPERIMENT', owner: null, experiment: { name: 'alpha' } });
    for (const role of ['USER', 'READER', 'OPERATOR', 'SERVICE'])
      expect(await create(user('eve@example', role), { experiment: 'alpha', name: 'X' })).toEqual({
        code: 'FORBIDDEN',
      });
    expect(await create(user('pam@example', 'PRODUCTION'), { experiment: 'beta' })).toEqual({
      code: 'FORBIDDEN',
    });
    expect(await read(user('quy@example', 'PRODUCTION'), secret.id)).toMatchObject({ id: secret.id });
    for (const principal of [user('eve@example'), testPrincipal({ grants: { beta: 'ADMIN' } })])
      expect(await read(principal, secret.id)).toBeNull();
    await remove(user('pam@example', 'PRODUCTION'), secret.id);
  });

  it('refuses wrong input without a word of the value', async () => {
    const fay = user('fay@example');
    const answers = [
      await create(fay, { value: 'canary' }),
      await create(fay, { value: `canary${'x'.repeat(65_536)}` }),
      await create(fay, { value: 'canary\0-with-nul' }),
      await create(fay, { value: 'canary-half-\ud800' }),
      await create(fay, { name: '1-canaries' }),
      await create(fay, { expiresAt: '2001-01-01T00:00:00.000Z' }),
    ];
    expect(answers.map(codes)).toEqual(Array(6).fill(['INVALID_VALUE']));
    expect(answers.map(({ userErrors }) => userErrors[0]?.path[0])).toEqual([
      ...['value', 'value', 'value', 'value', 'name', 'expiresAt'],
    ]);
    expect(JSON.stringify(answers)).not.toMatch(/canary/);
    const admin = testPrincipal();
    expect(codes(await create(admin, { experiment: 'nowhere' }))).toEqual(['EXPERIMENT_NOT_FOUND']);
  });

  it('bounds the number and the bytes of a holder, also for calls at the same time', async () => {
    const gil = user('gil@example');
    const names = ['A', 'B', 'C', 'D', 'E', 'F'];
    const made = await Promise.all(names.map((name) => create(gil, { name })));
    expect(made.filter(({ secret }) => secret !== null).length).toBeLessThanOrEqual(3);
    const { nodes } = await list(gil);
    for (const { id } of nodes) await remove(gil, id);
    for (const name of ['A', 'B', 'C']) expect(codes(await create(gil, { name }))).toEqual([]);
    expect(codes(await create(gil, { name: 'D' }))).toEqual(['SECRET_LIMIT_EXCEEDED']);
    expect(codes(await create(user('hal@example'), { value: 'x'.repeat(201) }))).toEqual([
      'SECRET_LIMIT_EXCEEDED',
    ]);
    const [first] = (await list(gil)).nodes;
    expect(codes(await rotate(gil, { id: first?.id, value: 'x'.repeat(190) }))).toEqual([
      'SECRET_LIMIT_EXCEEDED',
    ]);
  });

  it('is refused where the deployment has no master key', async () => {
    const without = await startCore({ db: await testDatabase('core') });
    const { createSecret } = await without.ask(
      'mutation { createSecret(input: { name: "A", value: "12345678" }) { userErrors { code } } }',
    );
    expect(codes(createSecret as unknown as Outcome)).toEqual(['SECRETS_DISABLED']);
  });
});

describe('rotateSecret', () => {
  it('replaces the value, until deleteSecret removes it', async () => {
    const ida = user('ida@example');
    const { secret } = await create(ida, {});
    const { secret: next } = await rotate(ida, { id: secret.id, expectedVersion: 1 });
    expect(next).toMatchObject({ version: 2, versions: [{ number: 2 }, { number: 1 }] });
    expect(await valueOf(secret.id)).toBe('canary-rotated');
    expect(codes(await rotate(ida, { id: secret.id, expectedVersion: 1 }))).toEqual(['REVISION_CONFLICT']);
    expect(await remove(ida, secret.id)).toEqual({ isDeleted: true });
    expect(await remove(ida, secret.id)).toEqual({ isDeleted: false });
    expect(codes(await rotate(ida, { id: secret.id }))).toEqual(['SECRET_NOT_FOUND']);
  });

  it('treats the secret of another user as one that does not exist, also for an ADMIN', async () => {
    const { secret } = await create(user('jon@example'), {});
    const agent = testPrincipal({ kind: 'AGENT', subject: 'bot', actsFor: 'jon@example', grants: 'ADMIN' });
    for (const principal of [user('kay@example'), testPrincipal()]) {
      expect(await read(principal, secret.id)).toBeNull();
      expect(codes(await rotate(principal, { id: secret.id }))).toEqual(['SECRET_NOT_FOUND']);
      expect(await remove(principal, secret.id)).toEqual({ isDeleted: false });
    }
    for (const answer of [
      await read(agent, secret.id),
      await list(agent),
      await rotate(agent, { id: secret.id }),
    ])
      expect(answer).toEqual({ code: 'FORBIDDEN' });
    expect(await valueOf(secret.id)).toBe('canary-value');
  });
});

/** Codes and paths of the errors of jobs and of a task with a secret. */
async function submitted(principal: Principal, secret: object, more: object = {}): Promise<unknown> {
  const payload = { command: 'true', secrets: [secret] };
  const common = { experiment: 'alpha', idempotencyKey: `key ${(serial += 1)}`, ...more };
  const jobs = await ask<Outcome>(
    'mutation ($i: SubmitJobsInput!) { submitJobs(input: $i) { jobs { id } userErrors { code path } } }',
    { i: { ...common, jobs: [{ name: 'x', payload }] } },
    principal,
  );
  const task = await ask<Outcome>(
    'mutation ($i: SubmitTaskInput!) { submitTask(input: $i) { task { id } userErrors { code path } } }',
    { i: { ...common, name: 'x', jobs: { count: 1 }, template: { name: 'x', payload } } },
    principal,
  );
  return [jobs, task].map(({ userErrors }) =>
    userErrors.map(({ code, path }) => `${code} ${path.join('.')}`),
  );
}
let serial = 0;

const allow = (person: Principal, input: object): Promise<unknown> =>
  ask(
    'mutation ($i: AllowSubmissionOnBehalfInput!) { allowSubmissionOnBehalf(input: $i) { consent { secretNames } userErrors { code path } } }',
    { i: { experiment: 'alpha', ...input } },
    person,
  );

const usable = [[], []];
const unusable = [
  ['SECRET_NOT_FOUND jobs.0.payload.secrets.0.name'],
  ['SECRET_NOT_FOUND template.payload.secrets.0.name'],
];

describe('a submission', () => {
  it('accepts secrets of its owner, who submits it', async () => {
    const oda = user('oda@example');
    await create(oda, {});
    expect(await submitted(oda, { name: 'TOKEN' })).toEqual(usable);
    expect(await submitted(oda, { name: 'OTHER' })).toEqual(unusable);
    expect(await submitted(user('pia@example'), { name: 'TOKEN' })).toEqual(unusable);
    const service = testPrincipal({
      kind: 'SERVICE',
      subject: 'experiment:alpha',
      grants: { alpha: 'SERVICE' },
    });
    const onBehalfOf = { onBehalfOf: 'oda@example' };
    const named = async (secretNames?: readonly string[]) => {
      await allow(oda, { secretNames });
      return submitted(service, { name: 'TOKEN' }, onBehalfOf);
    };
    expect(await named()).toEqual(unusable);
    expect(await named(['OTHER'])).toEqual(unusable);
    expect(await named(['OTHER', 'TOKEN'])).toEqual(usable);
    // Not for itself, not for another owner, and no longer after the next consent.
    expect(await submitted(service, { name: 'TOKEN' })).toEqual(unusable);
    await allow(user('pia@example'), { secretNames: ['TOKEN'] });
    expect(await submitted(service, { name: 'TOKEN' }, { onBehalfOf: 'pia@example' })).toEqual(unusable);
    expect(await named()).toEqual(unusable);
  });

  it('shows the secrets of a consent to the person, and refuses names that no secret has', async () => {
    const una = user('una@example');
    expect(await allow(una, { secretNames: ['B', 'A', 'B'] })).toEqual({
      consent: { secretNames: ['B', 'A'] },
      userErrors: [],
    });
    const wrong = await allow(una, { secretNames: ['A', 'two words'] });
    expect(wrong).toMatchObject({
      consent: null,
      userErrors: [{ code: 'INVALID_VALUE', path: ['secretNames', '1'] }],
    });
    const many = Array.from({ length: 101 }, (_, at) => `S${at}`);
    expect(await allow(una, { secretNames: many })).toMatchObject({
      userErrors: [{ code: 'INVALID_VALUE', path: ['secretNames'] }],
    });
  });

  it('accepts secrets of its experiment, if its submitter may use them', async () => {
    const shared = { name: 'SHARED', scope: 'EXPERIMENT' };
    await create(user('pam@example', 'PRODUCTION'), { name: 'SHARED', experiment: 'alpha' });
    expect(await submitted(user('ron@example', 'PRODUCTION'), shared)).toEqual(usable);
    expect(await submitted(user('ron@example', 'PRODUCTION'), { name: 'SHARED' })).toEqual(unusable);
    expect(await submitted(user('sam@example'), shared)).toEqual(unusable);
  });

  it('stores the id of the secret with the job, and shows its name', async () => {
    const tim = user('tim@example');
    const { secret } = await create(tim, { name: 'A' });
    const payload = { command: 'true', secrets: [{ name: 'A', as: 'VARIABLE', target: 'B' }] };
    const answer = await ask<{ jobs: { payload: { secrets: unknown } }[] }>(
      'mutation ($i: SubmitJobsInput!) { submitJobs(input: $i) { jobs { payload { secrets { secretId name scope as target } } } } }',
      { i: { experiment: 'alpha', idempotencyKey: 'shown', jobs: [{ name: 'x', payload }] } },
      tim,
    );
    expect(answer.jobs[0]?.payload.secrets).toEqual([
      { secretId: secret.id, name: 'A', scope: 'USER', as: 'VARIABLE', target: 'B' },
    ]);
  });
});

describe('an envelope', () => {
  it('opens for its own secret, version and holder only', async () => {
    const { secret } = await create(user('lea@example'), {});
    const { envelope, ...document } = await stored(secret.id);
    const owner = ownerOf({ ...document, envelope });
    for (const other of [
      { id: 'secret_other' },
      { version: 2 },
      { holder: 'eve@example' },
      { scope: 'EXPERIMENT' },
    ])
      await expect(open(envelope, { ...owner, ...other }, keys)).rejects.toThrow();
    const { ciphertext } = envelope;
    const changed = `${ciphertext.startsWith('A') ? 'B' : 'A'}${ciphertext.slice(1)}`;
    await expect(open({ ...envelope, ciphertext: changed }, owner, keys)).rejects.toThrow();
  });
});

describe('a new master key', () => {
  it('takes over while core runs, in batches, and the old one can be removed then', async () => {
    const names = ['A', 'B', 'C'];
    const owners = ['mia@example', 'ned@example'];
    for (const owner of owners) for (const name of names) await create(user(owner), { name });
    const old = await readFile(keyFile, 'utf8');
    const fresh = `${randomBytes(32).toString('base64')}\n`;
    await writeFile(keyFile, fresh + old, { mode: 0o600 });
    const fileKeys = await loadFileMasterKeys(keyFile);
    const current = await fileKeys.currentId();
    const secrets = core.db.collection<SecretDocument>('secrets');
    await waitFor(
      'all secrets under the new key',
      async () => (await secrets.countDocuments({ 'envelope.keyId': { $ne: current } })) === 0,
      { deadlineMs: 60_000 },
    );
    await writeFile(keyFile, fresh, { mode: 0o600 });
    const onlyNew = await loadFileMasterKeys(keyFile);
    for (const { _id } of await secrets.find({ holder: { $in: owners } }).toArray())
      expect(await valueOf(_id, onlyNew)).toBe('canary-value');
    await appendFile(keyFile, 'no key\n');
    await expect(loadFileMasterKeys(keyFile)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await writeFile(keyFile, fresh);
  });

  it('takes over for all secrets but those that cannot be unwrapped', async () => {
    const eva = user('eva@example');
    for (const name of ['A', 'B', 'C']) await create(eva, { name });
    const secrets = core.db.collection<SecretDocument>('secrets');
    const broken = await secrets.find().sort({ _id: 1 }).limit(2).toArray();
    const ids = { $in: broken.map(({ _id }) => _id) };
    await secrets.updateMany({ _id: ids }, { $set: { 'envelope.wrappedKey': 'changed' } });
    const old = await readFile(keyFile, 'utf8');
    await writeFile(keyFile, `${randomBytes(32).toString('base64')}\n${old}`);
    const current = await (await loadFileMasterKeys(keyFile)).currentId();
    const behind = { 'envelope.keyId': { $ne: current } };
    await waitFor(
      'the other secrets under the new key',
      async () => (await secrets.countDocuments(behind)) === broken.length,
      { deadlineMs: 60_000 },
    );
    expect((await secrets.find(behind).toArray()).map(({ _id }) => _id).sort()).toEqual(ids.$in);
    await waitFor('a report of them', () => logged.some((line) => line.includes('"failed":2')), {
      deadlineMs: 60_000,
    });
    await secrets.deleteMany({ _id: ids });
  });
});

describe('core', () => {
  it('writes no value of a secret to its log, the store and the oplog', async () => {
    const secrets = await core.db.collection('secrets').find().toArray();
    expect(secrets.length).toBeGreaterThan(5);
    const oplog = core.db.client.db('local').collection('oplog.rs');
    const entries = await oplog.find({ ns: `${core.db.databaseName}.secrets` }).toArray();
    expect(entries.length).toBeGreaterThan(secrets.length);
    const base64 = Buffer.from('canary-value').toString('base64').slice(0, 15);
    const everything = JSON.stringify([secrets, entries, logged]);
    for (const form of ['canary', base64]) expect(everything).not.toContain(form);
  });
});
