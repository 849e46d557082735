/** Datasets of a whole core: files by their owner, and outputs of jobs. */
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { type TestDatabase, testPrincipal, waitFor } from '@rhizome/testkit';
import { acquireOne, register, startOne } from '../support/access.fixture.js';
import { admin, type Answer, pilotOf, seed, startCore, type TestCore } from '../support/core.fixture.js';

const sha256 = 'ab'.repeat(32);
const limit = { deadlineMs: 60_000 };
const user = (subject: string, experiment = 'alpha'): Principal =>
  testPrincipal({ subject, grants: { [experiment]: 'USER' } });
const ada = user('ada');
const bob = user('bob');

let core: TestCore;
let db: TestDatabase;
/** Answers calls, too, and does not lead. */
let other: TestCore;

beforeAll(async () => {
  const started = await startCore();
  core = started;
  db = started.db;
  other = await startCore({ db: started.db });
  await seed(core);
  const storage = { name: 'site', provider: 'FOLDER', address: 'https://files.test', isDefault: true };
  await core.ask(
    'mutation ($i: CreateStorageInput!) { createStorage(input: $i) { userErrors { message } } }',
    { i: { ...storage, experiments: ['alpha'] } },
  );
});

const results: Readonly<Record<string, string>> = {
  createDataset: 'dataset { id state name }',
  appendDatasetFiles: 'addedCount repeatedCount dataset { fileCount sizeBytes eventCount }',
  setDatasetReplicas: 'files { name replicas { location storageName state } }',
  closeDataset: 'dataset { id state fileCount }',
  removeDataset: 'dataset { id state fileCount sizeBytes }',
};

/** Answer of a mutation; `refused` in the place of an answer has the code of its error. */
async function change(field: string, input: object, caller = ada, by = core): Promise<Answer> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const text = `mutation ($i: ${type}!) { ${field}(input: $i) { ${results[field]} userErrors { code path message } } }`;
  const { data, errors } = await by.run(text, { i: input }, caller);
  if (errors?.[0]) return { refused: errors[0].extensions?.['code'] } as unknown as Answer;
  return (JSON.parse(JSON.stringify(data)) as Record<string, Answer>)[field] as Answer;
}

async function newDataset(caller = ada): Promise<string> {
  const name = `data.${randomBytes(6).toString('hex')}`;
  const { dataset } = await change('createDataset', { experiment: 'alpha', name }, caller);
  return String(dataset?.['id']);
}

const fileText =
  'fileCount sizeBytes eventCount state files(first: 100) { nodes { name sizeBytes digest eventCount key jobId replicas { location storageName state } } totalCount }';

async function read(id: string, caller = ada): Promise<Answer | null> {
  const { dataset } = await core.ask(`query ($id: ID!) { dataset(id: $id) { ${fileText} } }`, { id }, caller);
  return dataset ?? null;
}

const fileAt = (at: number): object => ({
  name: `part/${String(at).padStart(4, '0')}.root`,
  sizeBytes: 100,
  eventCount: 5,
  digest: `sha256:${sha256}`,
  replicas: [{ location: `rhizome://site/alpha/ada/data/${at}.root` }],
});
const files = (count: number): readonly object[] => Array.from({ length: count }, (_, at) => fileAt(at));

describe('a dataset', () => {
  it('returns the same dataset for a repeated creation, and refuses another one of the name', async () => {
    const input = { experiment: 'alpha', name: 'mc.1', metadata: [{ key: 'run', value: '1' }] };
    const first = await change('createDataset', input);
    expect(first).toMatchObject({ dataset: { state: 'OPEN', name: 'mc.1' }, userErrors: [] });
    expect(await change('createDataset', input, ada, other)).toEqual(first);
    const taken = { dataset: null, userErrors: [{ code: 'DATASET_NAME_TAKEN', path: ['name'] }] };
    expect(await change('createDataset', { ...input, metadata: [] })).toMatchObject(taken);
    expect(await change('createDataset', input, bob)).toMatchObject(taken);
  });

  it('counts each file once, however often and by however many calls it is added', async () => {
    const datasetId = await newDataset();
    const all = files(2500);
    const calls = [all, all.slice(0, 1500), [...all].reverse(), all.slice(1000)];
    const answers = await Promise.all(
      calls.map((some, at) =>
        change('appendDatasetFiles', { datasetId, files: some }, ada, at % 2 === 0 ? core : other),
      ),
    );
    for (const { userErrors } of answers) expect(userErrors).toEqual([]);
    expect(answers.reduce((sum, { addedCount }) => sum + Number(addedCount), 0)).toBe(2500);
    expect(await read(datasetId)).toMatchObject({ fileCount: 2500, sizeBytes: 250_000, eventCount: 12_500 });
    const again = await change('appendDatasetFiles', { datasetId, files: all });
    expect(again).toMatchObject({ addedCount: 0, repeatedCount: 2500 });
  });

  it('refuses a different file of the same name, and adds nothing of the call', async () => {
    const datasetId = await newDataset();
    await change('appendDatasetFiles', { datasetId, files: files(3) });
    const changed = { ...fileAt(2), sizeBytes: 101 };
    const answer = await change('appendDatasetFiles', { datasetId, files: [fileAt(7), changed] });
    expect(answer).toMatchObject({ userErrors: [{ code: 'FILE_CONFLICT', path: ['files', '1'] }] });
    expect(await read(datasetId)).toMatchObject({ fileCount: 3 });
  });

  it.each<[string, object, readonly string[]]>([
    ['a name that leads elsewhere', { name: '../x' }, ['files', '0', 'name']],
    ['the name of an output', { name: 'job_1/x' }, ['files', '0', 'name']],
    ['a size that is too large', { sizeBytes: 2 ** 50 }, ['files', '0', 'sizeBytes']],
    ['a key that a shell would interpret', { key: '1; true' }, ['files', '0', 'key']],
    ['a digest without an algorithm', { digest: sha256 }, ['files', '0', 'digest']],
    [
      'a place of another owner',
      { replicas: [{ location: 'rhizome://site/alpha/bob/x' }] },
      ['files', '0', 'replicas', '0', 'location'],
    ],
    [
      'an unknown storage',
      { replicas: [{ location: 'rhizome://nowhere/alpha/ada/x' }] },
      ['files', '0', 'replicas', '0', 'location'],
    ],
    [
      'an address with a password',
      { replicas: [{ location: 'https://ada:secret@files.test/x' }] },
      ['files', '0', 'replicas', '0', 'location'],
    ],
    [
      'an address that is signed for a short time',
      { replicas: [{ location: 'https://files.test/x?X-Amz-Signature=ab' }] },
      ['files', '0', 'replicas', '0', 'location'],
    ],
    [
      'a file of the host',
      { replicas: [{ location: 'file:///etc/passwd' }] },
      ['files', '0', 'replicas', '0', 'location'],
    ],
  ])('refuses %s', async (_, wrong, path) => {
    const datasetId = await newDataset();
    const answer = await change('appendDatasetFiles', { datasetId, files: [{ ...fileAt(0), ...wrong }] });
    expect(answer).toMatchObject({ dataset: null, userErrors: [{ code: 'INVALID_VALUE', path }] });
    expect(await read(datasetId)).toMatchObject({ fileCount: 0 });
  });

  it('refuses files with which its totals would not be exact', async () => {
    const datasetId = await newDataset();
    const large = Array.from({ length: 512 }, (_, at) => ({ name: `large/${at}`, sizeBytes: 2 ** 44 }));
    const answer = await change('appendDatasetFiles', { datasetId, files: large });
    expect(answer).toMatchObject({ userErrors: [{ code: 'INVALID_VALUE', path: ['files'] }] });
    expect(await read(datasetId)).toMatchObject({ fileCount: 0, sizeBytes: 0 });
  });

  it('takes files from its owner and from those who manage jobs of others alone', async () => {
    const datasetId = await newDataset();
    const input = { datasetId, files: files(1) };
    expect(await change('appendDatasetFiles', input, bob)).toEqual({ refused: 'FORBIDDEN' });
    expect(await change('appendDatasetFiles', input, user('eve', 'beta'))).toMatchObject({
      userErrors: [{ code: 'DATASET_NOT_FOUND' }],
    });
    expect(await read(datasetId, bob)).toMatchObject({ fileCount: 0 });
    expect(await read(datasetId, user('eve', 'beta'))).toBeNull();
    expect(await change('appendDatasetFiles', input, admin)).toMatchObject({ addedCount: 1 });
  });

  it('takes no further file once it is closed, and accepts a repeated call', async () => {
    const datasetId = await newDataset();
    await change('appendDatasetFiles', { datasetId, files: files(2) });
    const closed = { dataset: { state: 'CLOSED', fileCount: 2 }, userErrors: [] };
    expect(await change('closeDataset', { datasetId })).toMatchObject(closed);
    expect(await change('closeDataset', { datasetId }, ada, other)).toMatchObject(closed);
    expect(await change('appendDatasetFiles', { datasetId, files: files(3) })).toMatchObject({
      userErrors: [{ code: 'DATASET_CLOSED' }],
    });
    const repeated = await change('appendDatasetFiles', { datasetId, files: files(2) });
    expect(repeated).toMatchObject({ repeatedCount: 2, userErrors: [] });
  });

  it('sets states of copies, and adds copies', async () => {
    const datasetId = await newDataset();
    await change('appendDatasetFiles', { datasetId, files: files(1) });
    const location = 'rhizome://site/alpha/ada/data/0.root';
    const [fileName, copy] = ['part/0000.root', 'https://mirror.test/0.root'];
    const replicas = [
      { fileName, location, state: 'LOST' },
      { fileName, location: copy },
    ];
    for (const by of [core, other])
      expect(await change('setDatasetReplicas', { datasetId, replicas }, ada, by)).toMatchObject({
        files: [
          {
            replicas: [
              { location, storageName: 'site', state: 'LOST' },
              { location: copy, storageName: null, state: 'AVAILABLE' },
            ],
          },
        ],
      });
    const unknown = [{ fileName: 'x', location: copy }];
    expect(await change('setDatasetReplicas', { datasetId, replicas: unknown })).toMatchObject({
      userErrors: [{ code: 'FILE_NOT_FOUND', path: ['replicas', '0', 'fileName'] }],
    });
  });

  it('shows what a removal would remove, and is gone after it', async () => {
    const datasetId = await newDataset();
    await change('appendDatasetFiles', { datasetId, files: files(1200) });
    expect(await change('removeDataset', { datasetId, isDryRun: true })).toMatchObject({
      dataset: { state: 'OPEN', fileCount: 1200, sizeBytes: 120_000 },
    });
    const removing = { dataset: { state: 'REMOVING', fileCount: 1200 } };
    expect(await change('removeDataset', { datasetId })).toMatchObject(removing);
    await waitFor('the dataset to be gone', async () => (await read(datasetId)) === null, limit);
  });
});

async function submit(job: object, caller = ada): Promise<Answer> {
  const text =
    'mutation ($i: SubmitJobsInput!) { submitJobs(input: $i) { jobs { id } userErrors { code path message } } }';
  const key = randomBytes(8).toString('hex');
  const { submitJobs } = await core.ask(
    text,
    { i: { experiment: 'alpha', idempotencyKey: key, jobs: [job] } },
    caller,
  );
  return submitJobs as Answer;
}

const writing = (datasetId: string, more: object = {}): object => ({
  name: 'writer',
  requirements: { queue: 'north' },
  payload: { command: 'true', outputs: ['hits', 'log'], outputDatasets: [{ output: 'hits', datasetId }] },
  ...more,
});

async function report(field: string, workerId: string, job: object): Promise<void> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const text = `mutation ($i: ${type}!) { ${field}(input: $i) { acceptedIds userErrors { message } } }`;
  const answer = await core.ask(text, { i: { workerId, jobs: [job] } }, pilotOf('north'));
  expect(answer[field]).toMatchObject({ acceptedIds: [expect.any(String)], userErrors: [] });
}

/** Locations of the outputs of an attempt. */
const outputsOf = ({ id, fence }: { readonly id: string; readonly fence: number }): readonly object[] =>
  ['hits', 'log'].map((name) => ({
    ...{ name, sizeBytes: 7, sha256 },
    location: `rhizome://site/alpha/ada/jobs/${id}/${fence}/${name}`,
  }));

async function held(workerId: string): Promise<{ readonly id: string; readonly fence: number }> {
  const job = await acquireOne(core, 'north', workerId);
  await startOne(core, 'north', workerId, job);
  return job;
}

describe('an output of a job', () => {
  it('is in its dataset once the job is FINISHED, that of a failed attempt never', async () => {
    const datasetId = await newDataset();
    const workerId = await register(core, 'north', 'w1');
    expect(await submit(writing(datasetId))).toMatchObject({ userErrors: [] });
    const first = await held(workerId);
    const error = { family: 'PAYLOAD', code: 'PAYLOAD_FAILED', message: 'broken' };
    await report('failJobs', workerId, { ...first, error });
    const second = await held(workerId);
    expect(second.id).toBe(first.id);
    expect(await change('closeDataset', { datasetId })).toMatchObject({
      userErrors: [{ code: 'DATASET_IN_USE', message: expect.stringContaining(first.id) }],
    });
    expect(await change('removeDataset', { datasetId })).toMatchObject({
      userErrors: [{ code: 'DATASET_IN_USE' }],
    });
    await report('finishJobs', workerId, { ...second, outputs: outputsOf(second) });
    // No wait: a closed dataset has all outputs of jobs that have ended.
    const closed = await change('closeDataset', { datasetId }, ada, other);
    expect(closed).toMatchObject({ dataset: { state: 'CLOSED', fileCount: 1 } });
    const location = `rhizome://site/alpha/ada/jobs/${second.id}/${second.fence}/hits`;
    expect(await read(datasetId)).toMatchObject({
      ...{ fileCount: 1, sizeBytes: 7 },
      files: {
        nodes: [
          {
            ...{ name: `${second.id}/hits`, digest: `sha256:${sha256}`, jobId: second.id },
            replicas: [{ location, storageName: 'site', state: 'AVAILABLE' }],
          },
        ],
      },
    });
  });

  it('follows from the event stream without a call', async () => {
    const datasetId = await newDataset();
    const workerId = await register(core, 'north', 'w2');
    await submit(writing(datasetId));
    const job = await held(workerId);
    await report('finishJobs', workerId, { ...job, outputs: outputsOf(job) });
    await waitFor('the file', async () => (await read(datasetId))?.['fileCount'] === 1, limit);
    // Its position is its own: others do not wait for it.
    const position = () => db.collection<{ _id: string }>('consumers').findOne({ _id: 'datasets' });
    expect(await waitFor('the position', position, limit)).toMatchObject({ cursor: expect.any(String) });
  });

  it('keeps its dataset open while a workflow is to submit the job', async () => {
    const datasetId = await newDataset();
    const { payload } = writing(datasetId) as { readonly payload: object };
    const nodes = [
      { name: 'a', requirements: { cores: 4096 }, payload: { command: 'true' } },
      { name: 'b', payload, dependsOn: [{ node: 'a' }] },
    ];
    const text =
      'mutation ($i: SubmitWorkflowInput!) { submitWorkflow(input: $i) { workflow { id } userErrors { path message } } }';
    const input = { experiment: 'alpha', name: 'w', idempotencyKey: 'w', nodes };
    const { submitWorkflow } = await core.ask(text, { i: input }, ada);
    expect(submitWorkflow).toMatchObject({ userErrors: [] });
    const workflowId = String(submitWorkflow?.['workflow']?.['id']);
    for (const field of ['closeDataset', 'removeDataset'])
      expect(await change(field, { datasetId })).toMatchObject({
        userErrors: [{ code: 'DATASET_IN_USE', message: expect.stringContaining(workflowId) }],
      });
    await core.ask(
      'mutation ($i: CancelWorkflowInput!) { cancelWorkflow(input: $i) { userErrors { message } } }',
      { i: { workflowId } },
      ada,
    );
    const state = async () =>
      (await core.ask('query ($id: ID!) { workflow(id: $id) { state } }', { id: workflowId }, ada))[
        'workflow'
      ]?.['state'];
    await waitFor('the end of the workflow', async () => String(await state()) === 'CANCELLED', limit);
    expect(await change('closeDataset', { datasetId })).toMatchObject({ dataset: { state: 'CLOSED' } });
  });

  it('is not produced again for a dataset that is closed', async () => {
    const datasetId = await newDataset();
    const { jobs } = await submit(writing(datasetId, { requirements: { cores: 4096 } }));
    const ids = [String((jobs as unknown as readonly Answer[])[0]?.['id'])];
    await core.ask(
      'mutation ($ids: [ID!]) { cancelJobs(input: { selection: { ids: $ids } }) { userErrors { message } } }',
      { ids },
      ada,
    );
    expect(await change('closeDataset', { datasetId })).toMatchObject({ dataset: { state: 'CLOSED' } });
    const { retryJobs } = await core.ask(
      'mutation ($ids: [ID!]) { retryJobs(input: { selection: { ids: $ids }, idempotencyKey: "again" }) { jobs { id } userErrors { code message } } }',
      { ids },
      ada,
    );
    expect(retryJobs).toMatchObject({
      userErrors: [{ code: 'JOB_STATE_CONFLICT', message: expect.stringContaining(datasetId) }],
    });
  });

  it.each<[string, (datasetId: string) => object, Principal, readonly string[]]>([
    ['of another owner', writing, bob, ['jobs', '0', 'payload', 'outputDatasets', '0', 'datasetId']],
    [
      'that is not there',
      () => writing('dataset_nowhere'),
      ada,
      ['jobs', '0', 'payload', 'outputDatasets', '0', 'datasetId'],
    ],
    [
      'for an output that is not declared',
      (datasetId) =>
        writing(datasetId, { payload: { command: 'true', outputDatasets: [{ output: 'x', datasetId }] } }),
      ada,
      ['jobs', '0', 'payload', 'outputDatasets', '0', 'output'],
    ],
  ])('is refused for a dataset %s', async (_, job, caller, path) => {
    const answer = await submit(job(await newDataset()), caller);
    expect(answer).toMatchObject({ jobs: [null], userErrors: [{ code: 'INVALID_VALUE', path }] });
  });
});
