/** Jobs for the files of a dataset by processes that end at any step, and by several at once. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { waitFor } from '@rhizome/testkit';
import { datasetStores } from '../../src/composition/datasets/dataset-stores.repository.js';
import { datasetFilesCollection } from '../../src/datasets/dataset-file.document.js';
import { datasetSchemaVersion } from '../../src/datasets/dataset.document.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import {
  deadline,
  freshKey,
  type ProcessOptions,
  someone,
  type TestDomain,
  testDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';
import { instead } from '../support/instead.fixture.js';

const fileCount = 900;
let shared: TestDomain;
let process: TestProcess;
let datasetId: string;

beforeAll(async () => {
  shared = await testDomain('datasets');
  process = await shared.process({ leads: false, stepSize: 50 });
  datasetId = await newDataset('given');
});

/** A closed dataset. */
async function newDataset(
  name: string,
  stateAt: (at: number) => 'AVAILABLE' | 'UNAVAILABLE' = () => 'AVAILABLE',
): Promise<string> {
  const { datasets, files } = datasetStores(shared.db);
  const now = systemClock.now();
  const _id = `dataset_${name}`;
  await datasets.insert({
    ...{ _id, schemaVersion: datasetSchemaVersion, revision: 1, createdAt: now, updatedAt: now },
    ...{ experiment: 'alpha', name, owner: someone.subject, state: 'OPEN', metadata: [] },
    totals: { files: 0, bytes: 0, events: 0 },
    digest: '',
  });
  const all = Array.from({ length: fileCount }, (_, at) => ({
    ...{ name: `f${at}`, sizeBytes: 1, metadata: [] },
    replicas: [{ location: `https://files.test/${at}`, state: stateAt(at), changedAt: now }],
  }));
  await files.add(_id, all, ['OPEN'], now);
  await datasets.move(_id, ['OPEN'], { state: 'CLOSED', closedAt: now }, now);
  return _id;
}

async function submit(by: TestProcess, of = datasetId): Promise<string> {
  const result = await by.domain.tasks.submit(someone, {
    ...{ experiment: 'alpha', idempotencyKey: freshKey(), name: 'task' },
    dataset: { datasetId: of, by: 'FILES', perJob: 2 },
    template: { name: 'part', payload: { command: 'true' } },
  });
  if ('refusals' in result) throw new Error(JSON.stringify(result.refusals));
  return result.task._id;
}

const jobsOf = (taskId: string) => collection(shared.db, jobsCollection).find({ taskId }).toArray();

/** Each file is the input of one job. */
async function expectEachFileOnce(taskId: string): Promise<void> {
  const jobs = await jobsOf(taskId);
  const locations = jobs
    .sort((a, b) => (a.taskIndex ?? 0) - (b.taskIndex ?? 0))
    .flatMap(({ payload }) => payload.inputs.map(({ location }) => location));
  expect(locations).toEqual(Array.from({ length: fileCount }, (_, at) => `https://files.test/${at}`));
  expect(await shared.findTask(taskId)).toMatchObject({ createdJobs: 450, totalJobs: 450 });
}

describe('expansion of a task with a dataset', () => {
  it.each(['before the insert', 'in the middle of the insert', 'after the insert'])(
    'gives each file to one job if the process ends %s',
    async (when) => {
      let steps = 0;
      const end = (): never => {
        throw new Error('the process ends');
      };
      const stores: ProcessOptions['stores'] = (all) => ({
        ...all,
        jobs: instead(all.jobs, {
          insertNew: async (documents) => {
            steps += 1;
            if (steps < 3) return all.jobs.insertNew(documents);
            if (when.startsWith('before')) end();
            await all.jobs.insertNew(when.startsWith('in the middle') ? documents.slice(0, 23) : documents);
            return when.startsWith('in the middle') ? end() : undefined;
          },
        }),
        tasks: instead(all.tasks, {
          created: async (...args) => (steps >= 3 ? end() : all.tasks.created(...args)),
        }),
      });
      const crashing = await shared.process({ leads: false, stepSize: 100, stores });
      const taskId = await submit(crashing);
      await waitFor('the third step', () => steps >= 3, deadline);
      await crashing.stop();
      expect(await shared.findTask(taskId)).toMatchObject({ state: 'EXPANDING', createdJobs: 200 });
      process.leader.gain();
      await shared.untilTask(taskId, 'RUNNING');
      process.leader.lose();
      await expectEachFileOnce(taskId);
    },
  );

  it('gives each file to one job if two processes expand the task', async () => {
    const ignoring: ProcessOptions['stores'] = (all) => ({
      ...all,
      tasks: instead(all.tasks, { claim: async (id) => (await all.tasks.find([id]))[0] ?? null }),
    });
    const rivals = await Promise.all([
      shared.process({ leads: false, stores: ignoring, stepSize: 30 }),
      shared.process({ leads: false, stores: ignoring, stepSize: 70 }),
    ]);
    const taskId = await submit(process);
    for (const rival of rivals) rival.leader.gain();
    await shared.untilTask(taskId, 'RUNNING');
    await expectEachFileOnce(taskId);
  });

  it('creates the other jobs while at most 100 wait for their files, and each of these once', async () => {
    const lost = await newDataset('lost', (at) => (at >= 20 && at % 4 === 0 ? 'UNAVAILABLE' : 'AVAILABLE'));
    const taskId = await submit(process, lost);
    process.leader.gain();
    // Jobs 10, 12, 14 … wait: the 101st of them, and those behind it, are not looked at.
    const created = async (): Promise<readonly number[]> =>
      (await jobsOf(taskId)).map(({ taskIndex = 0 }) => taskIndex);
    await waitFor('the last job that is created', async () => (await created()).includes(209), deadline);
    const task = await waitFor(
      'the record of what is awaited',
      async () => {
        const found = await shared.findTask(taskId);
        return found?.dataset?.awaited ? found : undefined;
      },
      deadline,
    );
    const { gaps = [], ...dataset } = task?.dataset ?? {};
    expect(gaps).toHaveLength(100);
    expect(dataset).toMatchObject({ ahead: 210, awaited: { index: 10, files: 2, unavailable: 1 } });
    expect(task).toMatchObject({ state: 'EXPANDING', createdJobs: 10 });
    expect(await created()).toHaveLength(110);
    await collection(shared.db, datasetFilesCollection).updateMany(
      { datasetId: lost },
      { $set: { 'replicas.0.state': 'AVAILABLE' } },
    );
    await process.stores.tasks.filesChanged(lost, systemClock.now());
    await shared.untilTask(taskId, 'RUNNING');
    process.leader.lose();
    await expectEachFileOnce(taskId);
    expect((await shared.findTask(taskId))?.dataset).not.toHaveProperty('gaps');
  });

  it('ends a task whose dataset was removed while it was submitted', async () => {
    const removed = await newDataset('removed');
    const crashing = await shared.process({
      leads: false,
      stores: (all) => ({
        ...all,
        jobs: instead(all.jobs, { insertNew: () => Promise.reject(new Error('the process ends')) }),
      }),
    });
    const taskId = await submit(crashing, removed);
    await crashing.stop();
    await collection(shared.db, datasetFilesCollection).deleteMany({ datasetId: removed });
    process.leader.gain();
    await shared.untilTask(taskId, 'CANCELLED');
    process.leader.lose();
    expect(await shared.findTask(taskId)).toMatchObject({
      control: { action: 'ABORT', by: 'system:datasets', reason: expect.stringContaining('removed') },
    });
  });
});
