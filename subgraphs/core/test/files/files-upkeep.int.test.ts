/** Removal of files that nobody needs, on a real store and a real folder. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { collection, ensureCollections } from '@rhizome/mongo';
import { openStorage, sourceOfBytes, StorageError, type StorageProvider } from '@rhizome/storage';
import { leftovers, testDatabase, type TestDatabase, waitFor } from '@rhizome/testkit';
import { FilesUpkeep } from '../../src/files/files-upkeep.js';
import { jobFilesCollection } from '../../src/files/job-files.document.js';
import { JobFilesRepository } from '../../src/files/job-files.repository.js';
import type { JobState } from '../../src/jobs/model/job-state.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import type { StorageDocument } from '../../src/storages/storage.document.js';
import { aJob } from '../support/job.fixture.js';

const owner = 'alpha/ada';
const past = new Date('2020-01-01T00:00:00Z');
let db: TestDatabase;
let folder: string;
let provider: StorageProvider;
let files: JobFilesRepository;
/** Thrown by the storage instead of its answer. */
let fault: StorageError | undefined;
/** Number of times that the storage was used while it failed. */
let failed: number;

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, [jobFilesCollection] as never);
  files = new JobFilesRepository(collection(db, jobFilesCollection));
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upkeep-'));
  provider = openStorage({ provider: 'FOLDER', address: 'http://files.test', folder }, undefined);
  [fault, failed] = [undefined, 0];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Jobs without a history, apart from those whose history is checked. */
const ended = () => db.collection<JobDocument>('endedJobs');

/** A job of which attempts 1 to 3 have stored `o`, and attempt 3 counts if the job has ended well. */
async function given(
  id: string,
  state: JobState | undefined,
  updatedAt = past,
  storages: readonly string[] = ['site'],
): Promise<void> {
  for (const fence of [1, 2, 3])
    await provider.put(`${owner}/jobs/${id}/${fence}/o`, sourceOfBytes(`of attempt ${fence}`));
  for (const storage of storages)
    await files.open({ jobId: id, storage, prefix: `${owner}/jobs/${id}/` }, past, past);
  if (state === undefined) return;
  const location = `rhizome://site/${owner}/jobs/${id}/3/o`;
  const outputs =
    state === 'FINISHED' ? [{ name: 'o', location, sizeBytes: 12, sha256: 'ab'.repeat(32) }] : [];
  await ended().insertOne({ ...aJob(id), state, updatedAt, outputs });
}

/** Runs the work until no record is due. */
async function work(): Promise<void> {
  const site = { _id: 'site', provider: 'FOLDER' } as StorageDocument;
  const broken = { _id: 'broken', provider: 'FOLDER' } as StorageDocument;
  const open = async ({ _id }: StorageDocument): Promise<StorageProvider> => {
    if (_id === 'site' && !fault) return provider;
    failed += 1;
    throw fault ?? new StorageError('SLOW', 'no answer');
  };
  const term = new AbortController();
  const upkeep = new FilesUpkeep({
    files,
    jobs: new JobsRepository(ended()),
    storages: { allFresh: async () => [site, broken] },
    opened: { of: open },
    leader: { onGained: (run) => (run(term.signal), () => undefined) },
    ...{ clock: systemClock, log: silentLogger(), removeAfterSeconds: 3600, everyMs: 20 },
  });
  leftovers.defer('the upkeep', () => upkeep.stop());
  upkeep.start();
  await waitFor('no record to be due', async () => (await files.due(systemClock.now(), 1)).length === 0, {
    deadlineMs: 10_000,
  });
  term.abort();
  await upkeep.stop();
}

async function left(id: string): Promise<readonly string[]> {
  const found = await readdir(join(folder, owner, 'jobs', id), { recursive: true }).catch(() => []);
  return found.filter((name) => name.endsWith('/o')).sort();
}

const recordOf = (id: string) => collection(db, jobFilesCollection).findOne({ _id: id });

describe('FilesUpkeep', () => {
  it('keeps the outputs of a finished job, and removes files of superseded attempts', async () => {
    await given('job_finished', 'FINISHED');
    await work();
    expect(await left('job_finished')).toEqual(['3/o']);
    expect(await recordOf('job_finished')).toMatchObject({ isOpen: false });
  });

  it.each<JobState>(['FAILED', 'CANCELLED', 'CLOSED'])(
    'removes all files of a job that is %s',
    async (state) => {
      const id = `job_${state.toLowerCase()}`;
      await given(id, state);
      await work();
      expect(await left(id)).toEqual([]);
      expect(await recordOf(id)).toBeNull();
    },
  );

  it('keeps what a failed attempt keeps for 30 days', async () => {
    const daysAgo = (days: number): Date => new Date(systemClock.now().getTime() - days * 86_400_000);
    const kept = (id: string) => [
      {
        ...{ name: 'o', location: `rhizome://site/${owner}/jobs/${id}/2/o` },
        ...{ sizeBytes: 12, sha256: 'ab'.repeat(32) },
      },
    ];
    for (const [id, days] of [
      ['job_kept', 29],
      ['job_over', 31],
    ] as const) {
      await given(id, 'FAILED', daysAgo(days));
      const [attempt] = [{ number: 2, keptOutputs: kept(id) }];
      await ended().updateOne({ _id: id }, { $set: { attempts: [attempt] as never } });
    }
    await work();
    expect(await left('job_kept')).toEqual(['2/o']);
    expect(await recordOf('job_kept')).toMatchObject({ isOpen: false });
    expect(await left('job_over')).toEqual([]);
    expect(await recordOf('job_over')).toBeNull();
  });

  it('removes all files of a job whose documents were deleted', async () => {
    await given('job_deleted', undefined);
    await work();
    expect(await left('job_deleted')).toEqual([]);
    expect(await recordOf('job_deleted')).toBeNull();
  });

  it.each<[string, JobState, Date]>([
    ['runs', 'RUNNING', past],
    ['waits for its next attempt', 'ACTIVATED', past],
    ['has just ended, because addresses are still valid', 'FAILED', systemClock.now()],
  ])('leaves the files of a job that %s, and looks again later', async (_, state, updatedAt) => {
    const id = `job_live_${state}`;
    await given(id, state, updatedAt);
    await work();
    expect(await left(id)).toEqual(['1/o', '2/o', '3/o']);
    expect(await recordOf(id)).toMatchObject({ isOpen: true });
  });

  it('cleans the other storages of a job if one was removed', async () => {
    await given('job_two', 'FAILED', past, ['gone', 'site']);
    await work();
    expect(await left('job_two')).toEqual([]);
    expect(await recordOf('job_two')).toMatchObject({ isOpen: false });
  });

  it('calls a storage that fails a few times only, and cleans the others', async () => {
    const ids = Array.from({ length: 50 }, (_, at) => `job_of_broken_${at}`);
    for (const id of ids) await given(id, 'FAILED', past, ['broken', 'site']);
    await work();
    expect(failed).toBeLessThan(10);
    for (const id of ids) {
      expect(await left(id)).toEqual([]);
      expect(await recordOf(id)).toMatchObject({ isOpen: true });
    }
  });

  it('looks twice, as an upload may end late', async () => {
    const hoursAgo = new Date(systemClock.now().getTime() - 2 * 3_600_000);
    await given('job_late', 'FAILED', hoursAgo);
    await work();
    expect(await left('job_late')).toEqual([]);
    expect(await recordOf('job_late')).toMatchObject({ isOpen: true });
  });

  it('looks again later if the storage fails', async () => {
    await given('job_slow', 'FAILED');
    fault = new StorageError('SLOW', 'no answer');
    await work();
    expect(await left('job_slow')).toHaveLength(3);
    expect(await recordOf('job_slow')).toMatchObject({ isOpen: true });
    fault = undefined;
    await collection(db, jobFilesCollection).updateOne({ _id: 'job_slow' }, { $set: { dueAt: past } });
    await work();
    expect(await left('job_slow')).toEqual([]);
  });

  it('does not close a record that an attempt has opened meanwhile', async () => {
    await given('job_again', 'FINISHED');
    const [due] = await files.due(systemClock.now(), 1);
    if (!due) throw new Error('not due');
    const now = systemClock.now();
    await files.open(
      { jobId: 'job_again', storage: 'site', prefix: due.prefix },
      now,
      new Date(now.getTime() + 60_000),
    );
    await files.postpone(due, { dueAt: new Date('2090-01-01'), isOpen: false }, now);
    await files.remove(due);
    expect(await recordOf('job_again')).toMatchObject({ isOpen: true });
  });
});
