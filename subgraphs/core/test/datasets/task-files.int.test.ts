/** Tasks whose jobs process the files of a dataset, in a whole core. */
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { compileSelector } from '../../src/scheduler/requirements/selector.js';
import { admin, type Answer, seed, startCore, type TestCore } from '../support/core.fixture.js';

const limit = { deadlineMs: 60_000 };
const user = (subject: string): Principal => testPrincipal({ subject, grants: { alpha: 'USER' } });
const ada = user('ada');

let core: TestCore;

beforeAll(async () => {
  core = await startCore();
  await seed(core);
  await core.ask(
    'mutation { createStorage(input: { name: "site", provider: FOLDER, address: "https://files.test", experiments: ["alpha"] }) { userErrors { message } } }',
  );
});

async function change(field: string, input: object, select: string, caller = ada): Promise<Answer> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const text = `mutation ($i: ${type}!) { ${field}(input: $i) { ${select} userErrors { code path message } } }`;
  return (await core.ask(text, { i: input }, caller))[field] as Answer;
}

interface File {
  readonly name: string;
  readonly sizeBytes: number;
  readonly digest?: string;
  readonly eventCount?: number;
  readonly key?: string;
  readonly replicas?: readonly object[];
}

const place = (name: string, owner = 'ada'): string => `rhizome://site/alpha/${owner}/data/${name}`;
const files = (count: number, more: (at: number) => Partial<File> = () => ({})): readonly File[] =>
  Array.from({ length: count }, (_, at) => {
    const name = `f/${String(at).padStart(4, '0')}`;
    return { name, sizeBytes: 10, replicas: [{ location: place(name) }], ...more(at) };
  });

async function dataset(all: readonly File[], isClosed = true): Promise<string> {
  const name = `data.${randomBytes(6).toString('hex')}`;
  const created = await change('createDataset', { experiment: 'alpha', name }, 'dataset { id }');
  const datasetId = String(created['dataset']?.['id']);
  expect(await change('appendDatasetFiles', { datasetId, files: all }, 'addedCount')).toMatchObject({
    userErrors: [],
  });
  if (isClosed) await change('closeDataset', { datasetId }, 'dataset { state }');
  return datasetId;
}

async function submit(of: object, template: object = {}, caller = ada): Promise<Answer> {
  const input = {
    ...{ experiment: 'alpha', idempotencyKey: randomBytes(8).toString('hex'), name: 'task' },
    jobs: { dataset: of },
    template: {
      ...{ name: 'part', requirements: { cores: 4096 }, payload: { command: 'true' } },
      ...template,
    },
  };
  return change('submitTask', input, 'task { id progress { totalJobs } }', caller);
}

const taskText = `query ($id: ID!) { task(id: $id) { state progress { totalJobs createdJobs } dataset { datasetId by perJob fileCount localityWeight dataset { name } awaited { taskIndex fileCount unavailableCount summary } }
  jobs(first: 100) { nodes { taskIndex payload { arguments inputs { name location otherLocations sizeBytes checksums { kind value } } } } } } }`;
const read = async (id: string): Promise<Answer> => (await core.ask(taskText, { id }, ada))['task'] as Answer;

interface Job {
  readonly taskIndex: number;
  readonly payload: {
    readonly arguments: readonly string[];
    readonly inputs: readonly { readonly name: string; readonly location: string }[];
  };
}

/** The jobs of a task, once all exist. */
async function jobsOf(answer: Answer): Promise<readonly Job[]> {
  expect(answer).toMatchObject({ userErrors: [] });
  const id = String(answer['task']?.['id']);
  await waitFor('all jobs of the task', async () => (await read(id))['state'] === 'RUNNING', limit);
  const task = await read(id);
  return task['jobs']?.['nodes'] as unknown as readonly Job[];
}

const indicesOf = (task: Answer): readonly number[] =>
  (task['jobs']?.['nodes'] as unknown as readonly Job[]).map(({ taskIndex }) => taskIndex);
const sizesOf = (jobs: readonly Job[]): readonly number[] => jobs.map(({ payload }) => payload.inputs.length);
const locationsOf = (jobs: readonly Job[]): readonly string[] =>
  jobs.flatMap(({ payload }) => payload.inputs.map(({ location }) => location));

describe('submitTask with a dataset', () => {
  it('gives each file to one job, a number of files to each', async () => {
    const copy = 'https://files.test/f/0000';
    const first = {
      digest: `md5:${'ab'.repeat(16)}`,
      replicas: [{ location: place('f/0000') }, { location: copy }],
    };
    const all = files(25, (at) => (at === 0 ? first : {}));
    const datasetId = await dataset(all);
    const answer = await submit({ datasetId, perJob: 10 });
    expect(answer).toMatchObject({ task: { progress: { totalJobs: 3 } } });
    const jobs = await jobsOf(answer);
    expect(sizesOf(jobs)).toEqual([10, 10, 5]);
    expect(locationsOf(jobs)).toEqual(all.map(({ name }) => place(name)));
    expect(jobs[0]?.payload.inputs[0]).toEqual({
      ...{ name: 'f_0000', location: place('f/0000'), otherLocations: [copy], sizeBytes: 10 },
      checksums: [{ kind: 'MD5', value: 'ab'.repeat(16) }],
    });
    expect((await read(String(answer['task']?.['id'])))['dataset']).toEqual({
      ...{ datasetId, by: 'FILES', perJob: 10, fileCount: 25, localityWeight: 10, awaited: null },
      dataset: { name: expect.any(String) },
    });
  });

  it('divides by events and by size, and fills in what a job has', async () => {
    const datasetId = await dataset(
      files(6, (at) => ({ eventCount: [3, 3, 9, 1, 1, 1][at] ?? 0, sizeBytes: 4 })),
    );
    const texts = { payload: { command: 'true', arguments: ['{{fileCount}}', '{{eventCount}}'] } };
    const byEvents = await jobsOf(await submit({ datasetId, by: 'EVENTS', perJob: 6 }, texts));
    expect(byEvents.map(({ payload }) => payload.arguments)).toEqual([
      ['2', '6'],
      ['1', '9'],
      ['3', '3'],
    ]);
    expect(sizesOf(await jobsOf(await submit({ datasetId, by: 'BYTES', perJob: 9 })))).toEqual([2, 2, 2]);
  });

  it('gives files with the same key to one job', async () => {
    const datasetId = await dataset(files(7, (at) => ({ key: `run-${at % 3}` })));
    const texts = { payload: { command: 'true', arguments: ['{{key}}'] } };
    const jobs = await jobsOf(await submit({ datasetId, by: 'KEY' }, texts));
    expect(jobs.map(({ payload }) => payload.arguments)).toEqual([['run-0'], ['run-1'], ['run-2']]);
    expect(sizesOf(jobs)).toEqual([3, 2, 2]);
    expect(new Set(locationsOf(jobs)).size).toBe(7);
  });

  it('prefers queues at the sites with the most bytes of a job, unless the weight is 0', async () => {
    for (const [name, siteName] of Object.entries({ east: 'BNL', west: 'CERN' }))
      await change(
        'createStorage',
        { name, siteName, provider: 'FOLDER', address: 'https://files.test', experiments: ['alpha'] },
        'storage { name }',
        admin,
      );
    const at = (storage: string, name: string) => ({ location: `rhizome://${storage}/alpha/ada/${name}` });
    const copies = [['east'], ['east', 'west'], ['west'], ['site']];
    const datasetId = await dataset(
      files(4, (position) => ({
        replicas: (copies[position] ?? []).map((storage) => at(storage, String(position))),
      })),
    );
    const preferencesOf = async (answer: Answer): Promise<unknown> => {
      await jobsOf(answer);
      const text =
        'query ($id: ID!) { task(id: $id) { jobs { nodes { requirements { preferences { expression weight } } } } } }';
      const { task } = await core.ask(text, { id: answer['task']?.['id'] }, ada);
      const nodes = task?.['jobs']?.['nodes'] as unknown as readonly Answer[];
      return nodes.map(({ requirements }) => requirements?.['preferences']);
    };
    const near = (...sites: readonly string[]) => [
      { expression: `queue.site in ${JSON.stringify(sites)}`, weight: 10 },
    ];
    expect(await preferencesOf(await submit({ datasetId }))).toEqual([
      near('BNL'),
      near('BNL', 'CERN'),
      near('CERN'),
      [],
    ]);
    expect(await preferencesOf(await submit({ datasetId, localityWeight: 0 }))).toEqual([[], [], [], []]);
    // A preference may not read in what workers of a shape differ.
    expect(compileSelector(near('BNL', 'a "b"')[0]?.expression ?? '').scope).toBe('SHAPE');
  });

  it('leaves out the files after the largest number of jobs', async () => {
    const datasetId = await dataset(files(9));
    const jobs = await jobsOf(await submit({ datasetId, perJob: 2, maxJobs: 3 }));
    expect(sizesOf(jobs)).toEqual([2, 2, 2]);
  });

  it('creates a job once its files are available, and says how many are not', async () => {
    const lost = { replicas: [{ location: place('f/0002'), state: 'UNAVAILABLE' }] };
    const datasetId = await dataset(files(6, (at) => (at === 2 ? lost : {})));
    const target = await dataset(files(1), false);
    const outputDatasets = [{ output: 'x', datasetId: target }];
    const payload = { command: 'true', outputs: ['x'], outputDatasets };
    const answer = await submit({ datasetId, perJob: 2 }, { payload });
    const id = String(answer['task']?.['id']);
    await waitFor('the first job', async () => (await read(id))['dataset']?.['awaited'] !== null, limit);
    expect(await read(id)).toMatchObject({
      state: 'EXPANDING',
      progress: { totalJobs: 3, createdJobs: 1 },
      dataset: {
        awaited: {
          ...{ taskIndex: 1, fileCount: 2, unavailableCount: 1 },
          summary: '1 of 2 inputs of job 1 is not available yet',
        },
      },
    });
    // The job behind it does not wait.
    await waitFor('the third job', async () => indicesOf(await read(id)).includes(2), limit);
    expect([...indicesOf(await read(id))].sort()).toEqual([0, 2]);
    for (const [field, of] of [
      ['removeDataset', datasetId],
      ['closeDataset', target],
    ] as const)
      expect(await change(field, { datasetId: of }, 'dataset { id }')).toMatchObject({
        userErrors: [{ code: 'DATASET_IN_USE', message: expect.stringContaining(id) }],
      });
    const copy = { fileName: 'f/0002', location: place('f/0002'), state: 'AVAILABLE' };
    await change('setDatasetReplicas', { datasetId, replicas: [copy] }, 'files { name }');
    const jobs = await jobsOf(answer);
    expect(sizesOf(jobs)).toEqual([2, 2, 2]);
    expect(new Set(locationsOf(jobs)).size).toBe(6);
    expect((await read(id))['dataset']).toMatchObject({ awaited: null });
  });

  it('ends a task that waits for files if it is aborted', async () => {
    const datasetId = await dataset(files(4, () => ({ replicas: [] })));
    const answer = await submit({ datasetId });
    const taskId = String(answer['task']?.['id']);
    await waitFor(
      'the waiting task',
      async () => (await read(taskId))['dataset']?.['awaited'] !== null,
      limit,
    );
    await change('abortTask', { taskId }, 'task { id }');
    await waitFor('the end of the task', async () => (await read(taskId))['state'] === 'CANCELLED', limit);
  });

  it.each<[string, () => Promise<object>, readonly string[], string]>([
    [
      'an open dataset',
      async () => ({ datasetId: await dataset(files(1), false) }),
      ['jobs', 'dataset', 'datasetId'],
      'closed',
    ],
    [
      'an unknown dataset',
      async () => ({ datasetId: 'dataset_nowhere' }),
      ['jobs', 'dataset', 'datasetId'],
      'dataset_nowhere',
    ],
    [
      'more files in a job than it may have inputs',
      async () => ({ datasetId: await dataset(files(1)), perJob: 1001 }),
      ['jobs', 'dataset', 'perJob'],
      '1001',
    ],
    [
      'events without their number',
      async () => ({ datasetId: await dataset(files(1)), by: 'EVENTS' }),
      ['jobs', 'dataset', 'perJob'],
      'EVENTS',
    ],
    [
      'events of files whose number is unknown',
      async () => ({ datasetId: await dataset(files(1)), by: 'EVENTS', perJob: 5 }),
      ['jobs', 'dataset', 'by'],
      'f/0000',
    ],
    [
      'keys that files do not have',
      async () => ({ datasetId: await dataset(files(2, (at) => (at === 0 ? { key: 'a' } : {}))), by: 'KEY' }),
      ['jobs', 'dataset', 'by'],
      '1 of 2 files',
    ],
  ])('refuses %s', async (_, of, path, text) => {
    expect(await submit(await of())).toMatchObject({
      task: null,
      userErrors: [{ code: 'INVALID_VALUE', path, message: expect.stringContaining(text) }],
    });
  });

  it('refuses files that the jobs may not read, by name', async () => {
    const datasetId = await dataset(files(2));
    expect(await submit({ datasetId }, {}, user('bob'))).toMatchObject({
      task: null,
      userErrors: [
        { path: ['jobs', 'dataset', 'datasetId'], message: expect.stringContaining('f/0000') },
        { path: ['jobs', 'dataset', 'datasetId'], message: expect.stringContaining('f/0001') },
      ],
    });
  });
});
