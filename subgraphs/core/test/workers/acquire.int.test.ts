import { beforeAll, describe, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { type TestDatabase, waitFor } from '@rhizome/testkit';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs } from '../support/fleet-jobs.fixture.js';
import { admin, pilotOf, TestWorker } from '../support/test-worker.fixture.js';

let db: TestDatabase;
let fleet: TestFleet;

beforeAll(async () => {
  db = await fleetDatabase();
  fleet = await startFleet(db);
  await waitFor('the broker leads', () => fleet.services.scheduler.isReady, { deadlineMs: 60_000 });
});

/** Runs jobs on a worker until these have run. */
async function runAll(worker: TestWorker, ids: readonly string[]): Promise<void> {
  const left = new Set(ids);
  while (left.size > 0) {
    const grants = await worker.acquire(left.size, { waitSeconds: 60 });
    await worker.start(grants);
    await worker.finish(grants);
    for (const { jobId } of grants) left.delete(jobId);
  }
}

describe('acquireJobs', () => {
  it('answers a waiting worker as soon as there is a job', async () => {
    const worker = await TestWorker.register(fleet);
    const asked = worker.acquire(1, { waitSeconds: 60 });
    const [id] = await submitJobs(db, 1);
    expect((await waitFor('the grant', asked, { deadlineMs: 60_000 })).map(({ jobId }) => jobId)).toEqual([
      id,
    ]);
    await worker.finish(await asked);
  });

  it('answers a worker that does not wait with no job', async () => {
    const worker = await TestWorker.register(fleet);
    expect(await worker.acquire(1)).toEqual([]);
    const gone = new AbortController();
    const asked = worker.acquire(1, { waitSeconds: 60, signal: gone.signal });
    gone.abort();
    expect(await waitFor('the answer', asked, { deadlineMs: 60_000 })).toEqual([]);
  });

  it('divides new jobs among waiting workers, and grants no job twice', async () => {
    const workers = await Promise.all(Array.from({ length: 4 }, () => TestWorker.register(fleet)));
    const asked = workers.map((worker) => worker.acquire(8, { waitSeconds: 60 }));
    const ids = await submitJobs(db, 16);
    const given = await waitFor('the grants', Promise.all(asked), { deadlineMs: 60_000 });
    for (const grants of given) expect(grants.length).toBeGreaterThan(0);
    const first = given.flat().map(({ jobId }) => jobId);
    await Promise.all(workers.map((worker, i) => worker.finish(given[i] ?? [])));
    const [worker] = workers;
    if (worker)
      await runAll(
        worker,
        ids.filter((id) => !first.includes(id)),
      );
    expect(new Set(first).size).toBe(first.length);
    expect(
      (await storedJobs(db, ids)).every(({ state, attempt }) => state === 'FINISHED' && attempt === 1),
    ).toBe(true);
  });

  it('grants the jobs beyond the window one after another, each once', async () => {
    const worker = await TestWorker.register(fleet, { cores: 1000 });
    const ids = await submitJobs(db, 3000);
    const seen: string[] = [];
    for (let rounds = 0; seen.length < ids.length && rounds < 100; rounds += 1) {
      const grants = await worker.acquire(500, { waitSeconds: 60 });
      seen.push(...grants.map(({ jobId }) => jobId));
      await worker.start(grants);
      await worker.finish(grants);
    }
    expect(seen).toEqual(ids);
    const counts = await collection(db, jobsCollection).countDocuments({
      _id: { $in: ids },
      state: 'FINISHED',
      attempt: 1,
    });
    expect(counts).toBe(3000);
  });

  it('grants a job that needs a GPU with its device, and the device to no other job', async () => {
    const worker = await TestWorker.register(fleet, { devices: ['GPU-a', 'GPU-b'] });
    const gpu = { count: 1, models: [], sassTargets: [], ptxTargets: [], nvlink: false, optional: false };
    await submitJobs(db, 3, { requirements: { gpu } });
    const offered = { freeDeviceIds: ['GPU-a', 'GPU-b'] };
    const grants = await worker.acquireInAll(2, offered);
    expect(grants.flatMap(({ deviceIds }) => deviceIds).sort()).toEqual(['GPU-a', 'GPU-b']);
    expect(await worker.acquire(8, offered)).toEqual([]);
    expect(await fleet.services.workerDirectory.deviceHolder(worker.id, 'GPU-a')).toBe(
      grants.find(({ deviceIds }) => deviceIds[0] === 'GPU-a')?.jobId,
    );
    await worker.finish(grants);
    await worker.finish(await worker.acquireInAll(1, offered));
  });

  it('grants only jobs of experiments that the principal was granted', async () => {
    const worker = await TestWorker.register(fleet);
    const [alpha = ''] = await submitJobs(db, 1, { share: 'alpha/default' });
    const [beta = ''] = await submitJobs(db, 1, { share: 'beta/default' });
    const free = { cores: 8, memoryMiB: 10_000, diskMiB: 10_000 };
    const principal = { ...pilotOf('main'), grants: [{ experiment: 'beta', roles: ['PILOT' as const] }] };
    const ask = (waitSeconds: number) =>
      fleet.services.acquire.acquire(
        { workerId: worker.id, count: 8, free, waitSeconds },
        { principal, requestId: 'test', isForwarded: false },
      );
    expect((await ask(60)).assignments.map(({ jobId }) => jobId)).toEqual([beta]);
    expect((await ask(0)).assignments).toEqual([]);
    await runAll(worker, [alpha]);
    expect((await storedJobs(db, [alpha]))[0]?.state).toBe('FINISHED');
  });

  it('refuses inputs out of range with their paths', async () => {
    const worker = await TestWorker.register(fleet);
    const { userErrors } = await fleet.services.acquire.acquire(
      { workerId: worker.id, count: 0, free: { cores: -1, memoryMiB: 1, diskMiB: 1 }, waitSeconds: 61 },
      { principal: admin, requestId: 'test', isForwarded: false },
    );
    expect(userErrors.map(({ path }) => path.join('.'))).toEqual(['count', 'free.cores', 'waitSeconds']);
    const unknown = await fleet.services.acquire.acquire(
      { workerId: 'worker_nowhere', count: 1, free: { cores: 1, memoryMiB: 1, diskMiB: 1 } },
      { principal: admin, requestId: 'test', isForwarded: false },
    );
    expect(unknown.userErrors).toEqual([
      expect.objectContaining({ code: 'WORKER_NOT_FOUND', path: ['workerId'] }),
    ]);
  });
});
