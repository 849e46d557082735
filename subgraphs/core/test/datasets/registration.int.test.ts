/** Registration of outputs by processes that end at each write, and by several at once, on a real store. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { collection, ensureCollections } from '@rhizome/mongo';
import { testDatabase, type TestDatabase } from '@rhizome/testkit';
import { datasetCollections } from '../../src/datasets/dataset-collections.js';
import { datasetFilesCollection } from '../../src/datasets/dataset-file.document.js';
import { DatasetFilesRepository } from '../../src/datasets/dataset-files.repository.js';
import { DatasetJobs } from '../../src/datasets/dataset-jobs.repository.js';
import { type DatasetDocument, datasetsCollection } from '../../src/datasets/dataset.document.js';
import { OutputRegistration } from '../../src/datasets/output-registration.js';
import type { JobEvent } from '../../src/jobs/model/job-event.types.js';
import type { JobState } from '../../src/jobs/model/job-state.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import { aJob } from '../support/job.fixture.js';

class Killed extends Error {}

let db: TestDatabase;
const signal = new AbortController().signal;

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, datasetCollections as never);
  await jobs().createIndex({ lookup: 1, _id: 1 }, { name: 'lookup_idx' });
});

/** Jobs without a history, apart from those whose history is checked. */
const jobs = () => db.collection<JobDocument>('endedJobs');

/** The registration of a process that ends after a number of its writes. */
function registration(killAfter = Infinity): OutputRegistration {
  const files = new DatasetFilesRepository(db);
  const found = new DatasetJobs(jobs());
  let writes = 0;
  const written = <T>(result: T): T => {
    writes += 1;
    if (writes >= killAfter) throw new Killed();
    return result;
  };
  return new OutputRegistration({
    files: { add: async (...addition) => written(await files.add(...addition)) },
    jobs: {
      ended: (ids) => found.ended(ids),
      unregistered: (...wanted) => found.unregistered(...wanted),
      refused: async (outputs) => written(await found.refused(outputs)),
      registered: async (done) => written(await found.registered(done)),
    },
    clock: systemClock,
    log: silentLogger(),
  });
}

async function dataset(
  name: string,
  state: DatasetDocument['state'] = 'OPEN',
  closedAt?: Date,
): Promise<string> {
  const now = systemClock.now();
  const _id = `dataset_${name}`;
  await collection(db, datasetsCollection).insertOne({
    ...{ _id, schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now },
    ...{ experiment: 'alpha', name, owner: 'ada', state, metadata: [] },
    totals: { files: 0, bytes: 0, events: 0 },
    digest: '',
    ...(closedAt && { closedAt }),
  });
  return _id;
}

/** Jobs that have ended, each with outputs `x` and `y` in the two datasets. */
async function ended(
  name: string,
  count: number,
  datasets: readonly [string, string],
  state: JobState = 'FINISHED',
): Promise<readonly string[]> {
  const outputDatasets = ['x', 'y'].map((output, at) => ({ output, datasetId: datasets[at] ?? '' }));
  const ids = Array.from({ length: count }, (_, at) => `job_${name}_${at}`);
  await jobs().insertMany(
    ids.map((id) =>
      aJob(id, {
        payload: {
          command: 'true',
          arguments: [],
          environment: [],
          inputs: [],
          outputs: ['x', 'y'],
          outputDatasets,
        },
        document: {
          state,
          outputs: ['x', 'y'].map((output) => ({
            name: output,
            location: `rhizome://site/alpha/ada/jobs/${id}/1/${output}`,
            sizeBytes: 10,
            sha256: 'ab'.repeat(32),
          })),
        },
      }),
    ),
  );
  return ids;
}

const eventsOf = (ids: readonly string[], to: JobState = 'FINISHED'): readonly JobEvent[] =>
  ids.map((jobId) => ({
    token: '82',
    jobId,
    last: { ...aJob(jobId).last, from: 'RUNNING', to, hasOutputDatasets: true },
  }));

const totalsOf = async (id: string) =>
  (await collection(db, datasetsCollection).findOne({ _id: id }))?.totals;
const filesOf = async (datasetId: string) =>
  (await collection(db, datasetFilesCollection).find({ datasetId }).sort({ position: 1 }).toArray()).map(
    ({ name, position }) => ({ name, position }),
  );
const marked = async (ids: readonly string[]): Promise<number> =>
  jobs().countDocuments({ _id: { $in: [...ids] }, lookup: { $gte: 'd:', $lt: 'd;' } });

const refusalsOf = async (_id: string) =>
  (await jobs().findOne({ _id }))?.payload.outputDatasets?.map(({ refusal }) => refusal);

async function expectEach(ids: readonly string[], id: string, output: string): Promise<void> {
  const files = await filesOf(id);
  expect(files.map(({ name }) => name).sort()).toEqual(ids.map((jobId) => `${jobId}/${output}`).sort());
  expect(files.map(({ position }) => position)).toEqual(ids.map((_, at) => at));
  expect(await totalsOf(id)).toEqual({ files: ids.length, bytes: 10 * ids.length, events: 0 });
}

describe('OutputRegistration', () => {
  it.each([1, 2, 3])('adds each output once if the process ends after write %i', async (killAfter) => {
    const name = `killed-${killAfter}`;
    const datasets = [await dataset(`${name}-x`), await dataset(`${name}-y`)] as const;
    const ids = await ended(name, 20, datasets);
    await expect(registration(killAfter).handle(eventsOf(ids), signal)).rejects.toThrow(Killed);
    // The next leader reads the stream from the stored position, which lies before these events.
    await registration().handle(eventsOf(ids), signal);
    await expectEach(ids, datasets[0], 'x');
    await expectEach(ids, datasets[1], 'y');
    expect(await marked(ids)).toBe(0);
  });

  it.each([1, 2, 3])('finds what is missing after write %i without the event stream', async (killAfter) => {
    const name = `recovered-${killAfter}`;
    const datasets = [await dataset(`${name}-x`), await dataset(`${name}-y`)] as const;
    const ids = await ended(name, 250, datasets);
    await expect(registration(killAfter).recover(signal)).rejects.toThrow(Killed);
    await registration().recover(signal);
    await expectEach(ids, datasets[0], 'x');
    await expectEach(ids, datasets[1], 'y');
    expect(await marked(ids)).toBe(0);
  });

  it('adds each output once if several processes do so at the same time, in any order', async () => {
    const datasets = [await dataset('same-x'), await dataset('same-y')] as const;
    const ids = await ended('same', 120, datasets);
    const processes = [ids, [...ids].reverse(), ids.slice(30), ids.slice(0, 90)];
    await Promise.all(processes.map((some) => registration().handle(eventsOf(some), signal)));
    await expectEach(ids, datasets[0], 'x');
    await expectEach(ids, datasets[1], 'y');
  });

  it.each<JobState>(['FAILED', 'CANCELLED', 'CLOSED'])('adds nothing of a job that is %s', async (state) => {
    const datasets = [await dataset(`${state}-x`), await dataset(`${state}-y`)] as const;
    const ids = await ended(state, 3, datasets, state);
    await registration().handle(eventsOf(ids, state), signal);
    expect(await filesOf(datasets[0])).toEqual([]);
    expect(await marked(ids)).toBe(0);
  });

  it('leaves out a dataset that is being removed, and adds to the others', async () => {
    const datasets = [await dataset('gone', 'REMOVING'), await dataset('there')] as const;
    const ids = await ended('half', 3, datasets);
    await registration().handle(eventsOf(ids), signal);
    expect(await filesOf(datasets[0])).toEqual([]);
    await expectEach(ids, datasets[1], 'y');
    expect(await marked(ids)).toBe(0);
    for (const id of ids) expect(await refusalsOf(id)).toEqual(['DATASET_REMOVED', undefined]);
  });

  it('adds to a closed dataset outputs of earlier jobs only, and says so in the others', async () => {
    const late = [await dataset('late', 'CLOSED', new Date(0)), await dataset('late-open')] as const;
    const early = [await dataset('early', 'CLOSED', new Date('2200-01-01')), late[1]] as const;
    const [lateId = ''] = await ended('late', 1, late);
    const [earlyId = ''] = await ended('early', 1, early);
    await registration().handle(eventsOf([lateId, earlyId]), signal);
    expect(await filesOf(late[0])).toEqual([]);
    expect(await totalsOf(late[0])).toEqual({ files: 0, bytes: 0, events: 0 });
    await expectEach([earlyId], early[0], 'x');
    expect(await refusalsOf(lateId)).toEqual(['DATASET_CLOSED', undefined]);
    expect(await refusalsOf(earlyId)).toEqual([undefined, undefined]);
  });
});
