/** Deletion of copies that are due, on a real store and a real folder. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { collection, ensureCollections } from '@rhizome/mongo';
import { openStorage, sourceOfBytes, StorageError, type StorageProvider } from '@rhizome/storage';
import {
  leftovers,
  manualClock,
  type ManualClock,
  testDatabase,
  type TestDatabase,
  waitFor,
} from '@rhizome/testkit';
import {
  datasetStores,
  type DatasetStores,
} from '../../src/composition/datasets/dataset-stores.repository.js';
import { workflowStores } from '../../src/composition/workflows/workflow-stores.repository.js';
import { datasetCollections } from '../../src/datasets/dataset-collections.js';
import { type DatasetDocument, datasetsCollection } from '../../src/datasets/dataset.document.js';
import {
  type DatasetFileDocument,
  datasetFilesCollection,
  fileIdOf,
  type StoredReplica,
} from '../../src/datasets/dataset-file.document.js';
import { DeletionJobs } from '../../src/datasets/deletion/deletion-jobs.repository.js';
import { DeletionWork } from '../../src/datasets/deletion/deletion-work.js';
import { FileUsers, type FileUseSources } from '../../src/datasets/deletion/file-users.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import type { StorageDocument } from '../../src/storages/storage.document.js';
import { workflowCollections } from '../../src/workflows/workflow-collections.js';
import { aJob } from '../support/job.fixture.js';

const key = 'alpha/ada/jobs/job_parent/3/o';
const location = `rhizome://site/${key}`;
const site = {
  _id: 'site',
  provider: 'FOLDER',
  experiments: [],
  sharedPrefixes: [],
} as unknown as StorageDocument;
const minuteMs = 60_000;
let db: TestDatabase;
let folder: string;
let clock: ManualClock;
let provider: StorageProvider;
let stores: DatasetStores;
/** Thrown by the storage instead of an answer. */
let fault: StorageError | undefined;
/** Number of these. */
let failed: number;
/** Runs before each call of the storage. */
let before: (() => Promise<void>) | undefined;
let others: Partial<FileUseSources>;
/** Datasets whose copies can be read again. */
let readable: string[];

/** Jobs without a history, apart from those whose history is checked. */
const jobs = () => db.collection<JobDocument>('jobsOfDeletions');
const files = () => collection(db, datasetFilesCollection);

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, [...datasetCollections, ...workflowCollections] as never);
  const { indexes = [] } = jobsCollection;
  for (const { name, keys, options } of indexes) await jobs().createIndex(keys, { ...options, name });
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deletions-'));
  provider = openStorage({ provider: 'FOLDER', address: 'http://files.test', folder }, undefined);
  [clock, stores] = [manualClock(), datasetStores(db)];
  [fault, failed, before, others, readable] = [undefined, 0, undefined, {}, []];
  await Promise.all([files().deleteMany({}), jobs().deleteMany({})]);
  await collection(db, datasetsCollection).deleteMany({});
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A dataset with one file, whose copies are as given. The object is there. */
async function given(replicas: readonly Partial<StoredReplica>[], datasetId = 'dataset_1'): Promise<void> {
  await provider.put(key, sourceOfBytes('content'));
  const now = clock.now();
  const base = { schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now };
  const dataset: DatasetDocument = {
    ...{ _id: datasetId, ...base, experiment: 'alpha', name: datasetId, owner: 'ada', state: 'CLOSED' },
    ...{ metadata: [], totals: { files: 1, bytes: 7, events: 0 }, digest: 'x' },
  };
  await collection(db, datasetsCollection).insertOne(dataset);
  const file: DatasetFileDocument = {
    ...{ _id: fileIdOf(datasetId, 'f'), ...base, datasetId, position: 0, name: 'f', sizeBytes: 7 },
    ...{ metadata: [], replicas: replicas.map((one) => ({ ...copy, changedAt: now, ...one })) },
    deletionAt: now,
  };
  await files().insertOne(file);
}

const copy = { location, storage: 'site', state: 'AVAILABLE' as const };
const deletion = (over: Partial<NonNullable<StoredReplica['deletion']>> = {}) => ({
  ...{ by: 'ada', minReplicas: 0, dueAt: clock.now(), ...over },
});
const marked = (over: Partial<NonNullable<StoredReplica['deletion']>> = {}): Partial<StoredReplica> => ({
  ...{ state: 'BEING_DELETED', deletion: deletion(over) },
});

function workOf(): DeletionWork {
  const term = new AbortController();
  const liveJobs = new DeletionJobs(jobs());
  const users = new FileUsers({
    filesAt: (locations) => stores.files.at(locations),
    liveJobs: (...sought) => liveJobs.users(...sought),
    liveWorkflows: async () => new Map(),
    waitingNodes: async () => new Map(),
    readingTask: async () => undefined,
    waiting: async function* () {},
    experiments: async () => ['alpha'],
    ...others,
  });
  const work = new DeletionWork({
    ...{ deletions: stores.deletions, files: stores.files, datasets: stores.datasets, users },
    storages: async () => [site],
    onReplicas: async (datasetId) => void readable.push(datasetId),
    open: async () => ({
      delete: async (...call) => {
        await before?.();
        if (fault) {
          failed += 1;
          throw fault;
        }
        return provider.delete(...call);
      },
    }),
    leader: { onGained: (run) => (run(term.signal), () => undefined) },
    ...{ clock, log: silentLogger(), everyMs: 20 },
  });
  leftovers.defer('the work', () => work.stop());
  return work;
}

/** True if no deletion is due, and none has begun without a record. */
const isDone = async (): Promise<boolean> =>
  (await stores.deletions.due(clock.now(), 1)).length === 0 &&
  (await files().countDocuments({
    replicas: { $elemMatch: { state: 'BEING_DELETED', 'deletion.startedAt': { $exists: true } } },
  })) === 0;

/** Runs the work, by two leaders if asked for. */
async function work({ leaders = 1, until = isDone } = {}): Promise<void> {
  const running = Array.from({ length: leaders }, workOf);
  for (const one of running) one.start();
  await waitFor('the end of the work', until, { deadlineMs: 60_000 });
  await Promise.all(running.map((one) => one.stop()));
}

const left = async (): Promise<number> =>
  (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('/o')).length;
const replicasOf = async (datasetId = 'dataset_1'): Promise<readonly StoredReplica[]> =>
  (await files().findOne({ _id: fileIdOf(datasetId, 'f') }))?.replicas ?? [];

it.each(['added', 'templates'] as const)(
  'finds workflows whose %s nodes read a file, or use an upload',
  async (kind) => {
    const nodes = workflowStores(db)[kind];
    const call = { workflowId: `workflow_${kind}`, by: 0, run: 0, attempt: 0, digest: 'd' };
    const inputs = [{ name: 'i', location, otherLocations: [`${location}2`] }];
    const job = { payload: { ...aJob('x').payload, inputs, uploadId: 'upload_1' } };
    await nodes.insert(call, [{ name: 'n', label: '', job } as never], [], clock.now());
    expect(await nodes.reading([location, `${location}2`, `${location}3`])).toEqual(
      new Map([location, `${location}2`].map((one) => [one, [call.workflowId]])),
    );
    expect(await nodes.usingUpload('upload_1')).toEqual([call.workflowId]);
    expect(await nodes.usingUpload('upload_2')).toEqual([]);
  },
);

describe('DeletionWork', () => {
  it('deletes a copy that is due, and records it', async () => {
    await given([marked(), { location: 'https://mirror.test/x' }]);
    await work();
    expect(await left()).toBe(0);
    const [gone, other] = await replicasOf();
    expect(gone).toMatchObject({ state: 'DELETED', deletion: { by: 'ada' } });
    expect(other).toMatchObject({ state: 'AVAILABLE' });
    expect(await files().findOne({})).not.toHaveProperty('deletionAt');
  });

  it('deletes no copy before it is due', async () => {
    await given([marked({ dueAt: new Date(clock.now().getTime() + minuteMs) })]);
    await files().updateOne({}, { $set: { deletionAt: new Date(clock.now().getTime() + minuteMs) } });
    await work();
    expect(await left()).toBe(1);
    clock.advance(minuteMs);
    await work();
    expect(await left()).toBe(0);
  });

  it.each<[string, Partial<JobDocument>]>([
    ['reads it', { payload: { ...aJob('x').payload, inputs: [{ name: 'i', location }] } }],
    [
      'may read it after another place fails',
      {
        payload: {
          ...aJob('x').payload,
          inputs: [{ name: 'i', location: 'https://a.test', otherLocations: [location] }],
        },
      },
    ],
    ['is a child of the job that wrote it', { dependsOn: ['job_parent'] }],
    ['wrote it and has not ended', { _id: 'job_parent' }],
  ])('keeps a copy while a live job %s', async (_what, document) => {
    await given([marked()]);
    await jobs().insertOne(aJob('job_reader', { document: { state: 'PENDING', ...document } }));
    await work();
    expect(await left()).toBe(1);
    expect(await replicasOf()).toMatchObject([{ state: 'BEING_DELETED' }]);
    await jobs().updateOne({}, { $set: { state: 'FINISHED' } });
    clock.advance(24 * 60 * minuteMs);
    await work();
    expect(await left()).toBe(0);
  });

  it.each<[string, () => Partial<FileUseSources>]>([
    ['a task with jobs that do not exist yet', () => ({ readingTask: async () => 'task_1' })],
    [
      'a template of a task',
      () => ({
        waiting: async function* () {
          yield { user: 'task task_1', locations: [location.replace('/3/', '/{{fence}}/')], parents: [] };
        },
      }),
    ],
    [
      'children of a task',
      () => ({
        waiting: async function* () {
          yield { user: 'task task_1', locations: [], parents: ['job_parent'] };
        },
      }),
    ],
    ['a node of a workflow', () => ({ waitingNodes: async () => new Map([[location, 'workflow_1']]) })],
    [
      'the workflow of its job',
      () => ({ liveWorkflows: async () => new Map([['job_parent', 'workflow_1']]) }),
    ],
  ])('keeps a copy for %s', async (_what, sources) => {
    others = sources();
    await given([marked()]);
    await work();
    expect(await left()).toBe(1);
  });

  it('keeps a copy that is that of a file of another dataset, too, until both are to be deleted', async () => {
    await given([marked()]);
    await given([{}], 'dataset_2');
    await files().updateOne({ datasetId: 'dataset_2' }, { $unset: { deletionAt: 1 } });
    await work();
    expect(await left()).toBe(1);
    await files().updateOne(
      { datasetId: 'dataset_2' },
      { $set: { 'replicas.0': { ...copy, changedAt: clock.now(), ...marked() }, deletionAt: clock.now() } },
    );
    clock.advance(24 * 60 * minuteMs);
    await work();
    expect(await left()).toBe(0);
    expect([...(await replicasOf()), ...(await replicasOf('dataset_2'))]).toMatchObject([
      { state: 'DELETED' },
      { state: 'DELETED' },
    ]);
  });

  it('keeps a copy if too few others are left meanwhile', async () => {
    await given([marked({ minReplicas: 1 }), { location: 'https://mirror.test/x', state: 'LOST' }]);
    await work();
    expect(await left()).toBe(1);
    const [restored] = await replicasOf();
    expect(restored).toMatchObject({ state: 'AVAILABLE' });
    expect(restored).not.toHaveProperty('deletion');
    expect(readable).toEqual(['dataset_1']);
  });

  it('restores no copy that was deleted as that of another file after it was marked', async () => {
    await given([marked({ minReplicas: 1 })]);
    await given([{ ...marked(), state: 'DELETED' }], 'dataset_2');
    await work();
    expect(await replicasOf()).toMatchObject([{ state: 'DELETED' }]);
    expect(readable).toEqual([]);
  });

  it('restores a copy that was stored again after it had been deleted as that of another file', async () => {
    const changedAt = new Date(clock.now().getTime() - minuteMs);
    await given([marked({ minReplicas: 1 })]);
    await given([{ ...marked(), state: 'DELETED', changedAt }], 'dataset_2');
    await work();
    expect(await replicasOf()).toMatchObject([{ state: 'AVAILABLE' }]);
  });

  it('repeats a deletion that a process has begun, whether the file was gone or not', async () => {
    const dueAt = new Date(clock.now().getTime() + 10 * minuteMs);
    await given([marked({ startedAt: clock.now(), dueAt })]);
    await given([marked({ startedAt: clock.now(), dueAt })], 'dataset_2');
    await files().updateMany({}, { $set: { deletionAt: dueAt } });
    await work({ until: async () => (await stores.deletions.due(clock.now(), 1)).length === 0 });
    expect(await left()).toBe(1);
    clock.advance(10 * minuteMs);
    await work();
    expect(await left()).toBe(0);
    for (const id of ['dataset_1', 'dataset_2'])
      expect(await replicasOf(id)).toMatchObject([{ state: 'DELETED' }]);
  });

  it('deletes once with two leaders, and records what changed meanwhile', async () => {
    await given([marked(), { location: 'https://mirror.test/x' }]);
    let calls = 0;
    before = async () => {
      calls += 1;
      const [, other] = await replicasOf();
      const [file] = await stores.files.named('dataset_1', ['f']);
      const lost = { ...(other as StoredReplica), state: 'LOST' as const };
      if (file) await stores.files.setReplicas(file, [file.replicas[0] as StoredReplica, lost], clock.now());
    };
    await work({ leaders: 2 });
    expect(calls).toBe(1);
    expect(await replicasOf()).toMatchObject([{ state: 'DELETED' }, { state: 'LOST' }]);
  });

  it('deletes other copies although a storage refuses one, which is UNAVAILABLE in the end', async () => {
    const folderPlace = 'rhizome://site/alpha/ada/jobs';
    await given([{ ...marked(), location: folderPlace }]);
    await given([marked()], 'dataset_2');
    await files().updateOne({ datasetId: 'dataset_1' }, { $set: { deletionAt: new Date(0) } });
    const refused = async (times: number): Promise<boolean> =>
      (await replicasOf())[0]?.deletion?.refusals === times;
    const isGone = async (): Promise<boolean> => (await replicasOf('dataset_2'))[0]?.state === 'DELETED';
    await work({ until: async () => (await refused(1)) && (await isGone()) });
    // Keeps the folder.
    await provider.put(key, sourceOfBytes('content'));
    for (let times = 2; times <= 10; times += 1) {
      clock.advance(60 * minuteMs);
      await work({ until: () => refused(times) });
    }
    expect(await replicasOf()).toMatchObject([{ state: 'UNAVAILABLE', deletion: { refusals: 10 } }]);
    expect(await files().findOne({ datasetId: 'dataset_1' })).not.toHaveProperty('deletionAt');
  });

  it('puts off copies whose search fails, and no others', async () => {
    others = {
      filesAt: async (locations) => {
        if (locations.includes(location)) throw new Error('too large');
        return stores.files.at(locations);
      },
    };
    await given([marked()]);
    const beta = 'alpha/ada/jobs/job_parent/3/o'.replace('alpha', 'beta');
    await provider.put(beta, sourceOfBytes('content'));
    await given([{ ...marked(), location: `rhizome://site/${beta}` }], 'dataset_2');
    await collection(db, datasetsCollection).updateOne(
      { _id: 'dataset_2' },
      { $set: { experiment: 'beta' } },
    );
    await work();
    expect(await replicasOf()).toMatchObject([{ state: 'BEING_DELETED' }]);
    expect(await replicasOf('dataset_2')).toMatchObject([{ state: 'DELETED' }]);
    others = {};
    clock.advance(60 * minuteMs);
    await work();
    expect(await replicasOf()).toMatchObject([{ state: 'DELETED' }]);
  });

  it('searches users of more locations than a command of the store can name', async () => {
    const long = Array.from({ length: 20 }, (_, at) => `rhizome://site/alpha/ada/${at}/${'k'.repeat(1000)}`);
    const sought = long.flatMap((one) => Array.from({ length: 500 }, (_, at) => `${one}${at}`));
    const input = { name: 'i', location: String(sought[9999]) };
    const payload = { ...aJob('x').payload, inputs: [input] };
    await jobs().insertOne(aJob('job_reader', { document: { state: 'PENDING', payload } }));
    const found = await new DeletionJobs(jobs()).users(['alpha'], sought, ['job_reader']);
    expect([...found.keys()].sort()).toEqual(['job_reader', sought[9999]]);
    expect(await workflowStores(db).nodeJobs.reading(sought)).toEqual(new Map());
  });

  it('repeats the deletion of a storage that failed', async () => {
    fault = new StorageError('SLOW', 'no answer');
    await given([marked()]);
    await work({ until: async () => failed > 0 });
    expect(await left()).toBe(1);
    expect(await replicasOf()).toMatchObject([
      { state: 'BEING_DELETED', deletion: { startedAt: clock.now() } },
    ]);
    fault = undefined;
    clock.advance(10 * minuteMs);
    await work();
    expect(await left()).toBe(0);
  });
});
