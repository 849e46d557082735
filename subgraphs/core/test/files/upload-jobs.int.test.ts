/** Jobs with uploads: the rules of submits, and the parts that workers may read. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { verifyRequest } from '@rhizome/storage';
import { type TestDatabase, testPrincipal } from '@rhizome/testkit';
import type { UploadDocument } from '../../src/files/uploads/upload.document.js';
import { type Answer, pilotOf, seed, startCore, type TestCore } from '../support/core.fixture.js';
import { acquired, registerWorker } from '../support/live-core.fixture.js';

const key = randomBytes(32);
const sha256 = 'ab'.repeat(32);
const user = (subject: string) => testPrincipal({ subject, grants: { alpha: 'USER' } });
let folder: string;
let core: TestCore;
let db: TestDatabase;
let worker: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'storages-'));
  await writeFile(join(folder, 'keys'), `${key.toString('base64')}\n`, { mode: 0o600 });
  const credential = { kind: 'SIGNING_KEYS', keyFile: join(folder, 'keys') };
  await writeFile(join(folder, 'files.json'), JSON.stringify(credential), { mode: 0o600 });
  const started = await startCore({ config: { files: { credentialFolder: folder } } });
  [core, db] = [started, started.db];
  await seed(core);
  const storage = { name: 'site', provider: 'FOLDER', address: 'https://files.test', credential: 'files' };
  await core.ask('mutation ($i: CreateStorageInput!) { createStorage(input: $i) { storage { name } } }', {
    i: { ...storage, isDefault: true },
  });
  worker = await registerWorker(core, 'host-1');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** An upload of ada. */
async function given(_id: string, over: Partial<UploadDocument> = {}): Promise<void> {
  const now = systemClock.now();
  await db.collection<UploadDocument>('uploads').insertOne({
    ...{ _id, schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now, lastUsedAt: now },
    ...{ experiment: 'alpha', owner: 'ada', name: 'x', storage: 'site', digest: _id, state: 'READY' },
    ...{ fileCount: 1, partCount: 1, sizeBytes: 7, parts: [{ sizeBytes: 7, sha256 }] },
    expiresAt: new Date(now.getTime() + 86_400_000),
    ...over,
  });
}

async function submit(uploadId: string, subject = 'ada'): Promise<Answer> {
  const jobs = [{ name: 'u', payload: { command: 'true', uploadId } }];
  const { submitJobs } = await core.ask(
    'mutation ($i: SubmitJobsInput!) { submitJobs(input: $i) { jobs { id payload { uploadId } } userErrors { path message } } }',
    { i: { experiment: 'alpha', idempotencyKey: `${subject} ${uploadId}`, jobs } },
    user(subject),
  );
  return submitJobs as Answer;
}

async function sign(job: { readonly id: string; readonly fence: number }, reads: readonly object[]) {
  const { signJobFiles } = await core.ask(
    'mutation ($i: SignJobFilesInput!) { signJobFiles(input: $i) { files { name method url sizeBytes sha256 } userErrors { code message } } }',
    { i: { workerId: worker, jobId: job.id, fence: job.fence, reads } },
    pilotOf('north'),
  );
  return signJobFiles as unknown as {
    readonly files: readonly { readonly url: string }[];
    readonly userErrors: readonly { readonly code: string; readonly message: string }[];
  };
}

describe('submitJobs with an upload', () => {
  it.each([
    ['of another owner', 'upload_of-ada', {}, 'bob'],
    ['of another experiment', 'upload_of-beta', { experiment: 'beta' }, 'ada'],
    ['that is not complete', 'upload_open', { state: 'OPEN' as const }, 'ada'],
  ])('refuses one %s by its name', async (_what, id, over, subject) => {
    await given(id, over);
    expect((await submit(id, subject))['userErrors']).toEqual([
      {
        path: ['jobs', '0', 'payload', 'uploadId'],
        message: `jobs.0.payload.uploadId: "${id}" is not valid; must be a complete upload of ${subject} for alpha, not expired`,
      },
    ]);
  });

  it('refuses it in tasks and workflows, too', async () => {
    const job = { name: 'u', payload: { command: 'true', uploadId: 'upload_nowhere' } };
    const common = { experiment: 'alpha', idempotencyKey: 'refused', name: 'u' };
    const { submitTask } = await core.ask(
      'mutation ($i: SubmitTaskInput!) { submitTask(input: $i) { userErrors { message } } }',
      { i: { ...common, jobs: { count: 2 }, template: job } },
    );
    const { submitWorkflow } = await core.ask(
      'mutation ($i: SubmitWorkflowInput!) { submitWorkflow(input: $i) { userErrors { message } } }',
      { i: { ...common, nodes: [{ name: 'n', payload: job.payload }] } },
    );
    for (const answer of [submitTask, submitWorkflow])
      expect(answer?.['userErrors']).toEqual([
        { message: expect.stringContaining('payload.uploadId: "upload_nowhere" is not valid') },
      ]);
  });
});

describe('removeUpload', () => {
  it('is refused while a workflow has nodes that will use the upload', async () => {
    await given('upload_waited');
    const nodes = [
      { name: 'a', requirements: { cores: 4096 }, payload: { command: 'true' } },
      { name: 'b', payload: { command: 'true', uploadId: 'upload_waited' }, dependsOn: [{ node: 'a' }] },
    ];
    const input = { experiment: 'alpha', idempotencyKey: 'waits', name: 'w', nodes };
    const { submitWorkflow } = await core.ask(
      'mutation ($i: SubmitWorkflowInput!) { submitWorkflow(input: $i) { workflow { id } userErrors { message } } }',
      { i: input },
      user('ada'),
    );
    expect(submitWorkflow?.['userErrors']).toEqual([]);
    const workflowId = String(submitWorkflow?.['workflow']?.['id']);
    const text =
      'mutation ($i: RemoveUploadInput!) { removeUpload(input: $i) { userErrors { code message } } }';
    const { removeUpload } = await core.ask(text, { i: { id: 'upload_waited' } }, user('ada'));
    expect(removeUpload?.['userErrors']).toEqual([
      {
        code: 'UPLOAD_IN_USE',
        message: `id: workflow ${workflowId} uses upload_waited; wait, or cancel it`,
      },
    ]);
  });
});

describe('signJobFiles of a job with an upload', () => {
  it('gives the holder addresses of its parts, until the upload is removed', async () => {
    await given('upload_run');
    const submitted = await submit('upload_run');
    expect(submitted).toMatchObject({ jobs: [{ payload: { uploadId: 'upload_run' } }], userErrors: [] });
    const [held] = await acquired(core, worker, 1);
    if (!held) throw new Error('the job was not acquired');
    const reads = ['manifest', sha256].map((name) => ({ name, uploadId: 'upload_run' }));
    const { files, userErrors } = await sign(held, reads);
    expect(userErrors).toEqual([]);
    expect(files).toMatchObject(reads.map(({ name }) => ({ name, method: 'GET', sizeBytes: 7, sha256 })));
    for (const { url } of files) {
      const { pathname, searchParams } = new URL(url);
      const request = verifyRequest(decodeURIComponent(pathname.slice(1)), searchParams, {
        ...{ keys: [key], now: systemClock.now() },
      });
      expect(request).toMatchObject({ method: 'GET', key: `alpha/ada/uploads/${sha256}` });
    }
    await given('upload_of-bob', { owner: 'bob' });
    for (const uploadId of ['upload_of-bob', 'upload_nowhere'])
      expect((await sign(held, [{ name: 'manifest', uploadId }])).userErrors).toEqual([
        {
          code: 'FILE_NOT_FOUND',
          message: `reads.0.uploadId: the job does not use upload "${uploadId}"`,
        },
      ]);
    await db.collection<UploadDocument>('uploads').deleteOne({ _id: 'upload_run' });
    expect((await sign(held, reads.slice(0, 1))).userErrors).toEqual([
      {
        code: 'FILE_NOT_FOUND',
        message: 'reads.0.uploadId: upload "upload_run" was removed, or has expired',
      },
    ]);
  });
});
