/** For tests of files: two processes of core with a storage, its jobs, and a worker that signs files. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { systemClock } from '@rhizome/clock';
import { verifyRequest } from '@rhizome/storage';
import { type TestDatabase, testPrincipal } from '@rhizome/testkit';
import { registration } from './access.fixture.js';
import { admin, type Answer, pilotOf, seed, startCore, type TestCore } from './core.fixture.js';

const key = randomBytes(32);
export const address = 'https://files.test:4200';
export const sha256 = 'ab'.repeat(32);
const capacity = { cores: 8, memoryMiB: 10_000, diskMiB: 10_000 };

export let folder: string;
export let core: TestCore;
export let db: TestDatabase;
export let other: TestCore;

/**
 * Starts two processes of core with a storage for the test file that calls it. Files that run in one worker
 * share this module.
 */
export function withFiles(): void {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'storages-'));
    await writeFile(join(folder, 'keys'), `${key.toString('base64')}\n`, { mode: 0o600 });
    const credential = { kind: 'SIGNING_KEYS', keyFile: join(folder, 'keys') };
    await writeFile(join(folder, 'files.json'), JSON.stringify(credential), { mode: 0o600 });
    const config = { files: { credentialFolder: folder, addressSeconds: 300 } };
    const started = await startCore({ config });
    core = started;
    ({ db } = started);
    other = await startCore({ db: started.db, config });
    await seed(core);
    const text =
      'mutation { registerExperiment(input: { name: "beta", title: "Beta" }) { userErrors { message } } }';
    await core.ask(text);
    await core.ask(
      'mutation { createQueue(input: { name: "south", site: "Pole" }) { userErrors { message } } }',
    );
    expect(codesOf(await change('createStorage', site))).toEqual([]);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
}

export const site = {
  ...{ name: 'site', provider: 'FOLDER', address, credential: 'files', isDefault: true },
  ...{ experiments: ['alpha'], sharedPrefixes: ['calibration/'] },
};
export const user = (subject: string, experiment = 'alpha'): Principal =>
  testPrincipal({ subject, grants: { [experiment]: 'USER' } });
export const ada = user('ada');
export const bob = user('bob');

export async function change(field: string, input: object, caller = admin, by = core): Promise<Answer> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const text = `mutation ($i: ${type}!) { ${field}(input: $i) { storage { name isDefault credential revision } userErrors { code path message } } }`;
  return answerOf(await by.run(text, { i: input }, caller));
}

/** The answer of the only root field, or the code of its error. */
export function answerOf({ data, errors }: Awaited<ReturnType<TestCore['run']>>): Answer {
  if (errors?.[0]) return { code: errors[0].extensions?.['code'] } as unknown as Answer;
  return Object.values(JSON.parse(JSON.stringify(data)) as Record<string, Answer>)[0] as Answer;
}

export const codesOf = (answer: Answer | undefined): unknown =>
  (answer?.['userErrors'] as unknown as readonly { code: string }[] | undefined)?.map(({ code }) => code);

export async function submit(
  jobs: readonly object[],
  caller = ada,
  experiment = 'alpha',
  by = core,
): Promise<Answer> {
  const text =
    'mutation ($i: SubmitJobsInput!) { submitJobs(input: $i) { jobs { id } userErrors { code path message } } }';
  const input = { experiment, idempotencyKey: randomBytes(8).toString('hex'), jobs };
  return answerOf(await by.run(text, { i: input }, caller));
}

export const reading = (...locations: readonly string[]): object => ({
  // Without workers.
  ...{ name: 'reader', requirements: { queue: 'south' } },
  payload: { command: 'true', inputs: locations.map((location, at) => ({ name: `in-${at}`, location })) },
});

interface Held {
  readonly id: string;
  readonly fence: number;
}

/** A worker of the queue. */
export async function workerNamed(name: string): Promise<string> {
  const text =
    'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { message } } }';
  const hardware = { architecture: 'x86_64', ...capacity };
  const input = { ...registration('north', name), hardware };
  const { registerWorker } = await core.ask(text, { input }, pilotOf('north'));
  return String(registerWorker?.['worker']?.['id']);
}

/** Submits a job and starts it on the worker. */
export async function started(workerId: string, job: object, caller = ada): Promise<Held> {
  const submitted = await submit([{ ...job, requirements: { queue: 'north' } }], caller);
  expect(codesOf(submitted)).toEqual([]);
  const text =
    'mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { fence job { id } } userErrors { message } } }';
  const input = { workerId, count: 1, free: capacity, waitSeconds: 20 };
  const { acquireJobs } = await core.ask(text, { input }, pilotOf('north'));
  const [granted] = acquireJobs?.['assignments'] as unknown as readonly Answer[];
  const held = { id: String(granted?.['job']?.['id']), fence: Number(granted?.['fence']) };
  await report('startJobs', workerId, { ...held, phase: 'RUNNING' });
  return held;
}

export async function report(field: string, workerId: string, job: object): Promise<Answer> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const text = `mutation ($i: ${type}!) { ${field}(input: $i) { acceptedIds userErrors { code message } } }`;
  return answerOf(await core.run(text, { i: { workerId, jobs: [job] } }, pilotOf('north')));
}

export async function sign(
  workerId: string,
  { id: jobId, fence }: Held,
  files: object,
  caller = pilotOf('north'),
): Promise<Answer> {
  const text =
    'mutation ($i: SignJobFilesInput!) { signJobFiles(input: $i) { files { name jobId method url location expiresAt sizeBytes sha256 } userErrors { code path message } } }';
  return answerOf(await core.run(text, { i: { workerId, jobId, fence, ...files } }, caller));
}

/** The request that an address permits. @throws StorageError for a wrong signature */
export function grantOf(url: string): object {
  const { origin, pathname, searchParams } = new URL(url);
  expect(origin).toBe(address);
  return verifyRequest(decodeURIComponent(pathname.slice(1)), searchParams, {
    keys: [key],
    now: systemClock.now(),
  });
}

/** Ends a job with outputs under the locations that were signed. */
export async function finish(workerId: string, held: Held, names: readonly string[]): Promise<Answer> {
  const writes = names.map((name) => ({ name, sizeBytes: 5, sha256 }));
  const { files } = await sign(workerId, held, { writes });
  const outputs = (files as unknown as readonly { name: string; location: string }[]).map(
    ({ name, location }) => ({ name, location, sizeBytes: 5, sha256 }),
  );
  return report('finishJobs', workerId, { ...held, exitCode: 0, outputs });
}
