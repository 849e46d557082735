import { expect, it } from '@jest/globals';
import { collection, connectMongo, type RunningMongod } from '@rhizome/mongo';
import { leftovers, ownMongod, type TestDatabase, waitFor } from '@rhizome/testkit';
import { setTimeout as pause } from 'node:timers/promises';
import { aQueue } from '../support/scheduler.fixture.js';
import type { Grant } from '../../src/scheduler/scheduler.types.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { prepareFleet, startFleet } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs } from '../support/fleet-jobs.fixture.js';
import { TestWorker } from '../support/test-worker.fixture.js';

/** Three real servers with a database for the fleet. */
async function threeServers(): Promise<{
  readonly db: TestDatabase;
  readonly mongod: RunningMongod;
  killPrimary(): Promise<void>;
}> {
  const mongod = await ownMongod({ members: 3, oplogSizeMiB: 64 });
  // Shorter than any election: what is under way fails, and is not only late.
  const mongo = await connectMongo({ uri: mongod.uri, appName: 'tests', serverSelectionTimeoutMs: 500 });
  leftovers.defer('their client', () => mongo.close());
  const db = mongo.db('core');
  await prepareFleet(db);
  return {
    db,
    mongod,
    async killPrimary() {
      const hello = await mongo.db('admin').command({ hello: 1 });
      const primary = mongod.members.find(({ port }) => String(hello['primary']).endsWith(`:${port}`));
      await primary?.kill('SIGKILL');
    },
  };
}

/** Runs a worker that requests jobs despite errors, and reports its jobs with each heartbeat. */
async function ask(
  worker: TestWorker,
  held: Grant[],
  isOver: () => boolean,
  onFailure: () => void,
): Promise<void> {
  while (!isOver()) {
    try {
      held.push(...(await worker.acquire(3, { waitSeconds: 1 })));
      await worker.heartbeat(held);
    } catch {
      onFailure();
      // Agents retry after a short pause, too; no result depends on its length.
      await pause(20);
    }
  }
}

it('grants each job once, although grants failed while the primary was down', async () => {
  const { db, killPrimary } = await threeServers();
  const queues = [aQueue({ limits: { leaseSeconds: 600 } })];
  const fleet = await startFleet(db, { queues, graceMs: 1000 });
  await waitFor('a leader', () => fleet.services.scheduler.isReady, { deadlineMs: 60_000 });
  const jobIds = await submitJobs(db, 400);
  const workers = await Promise.all(
    Array.from({ length: 6 }, () => TestWorker.register(fleet, { cores: 100 })),
  );
  const held = workers.map((): Grant[] => []);
  const answered = (): number => held.reduce((sum, { length }) => sum + length, 0);
  let [isOver, failures] = [false, 0];
  const asking = workers.map((worker, at) =>
    ask(
      worker,
      held[at] ?? [],
      () => isOver,
      () => (failures += 1),
    ),
  );
  await waitFor('some grants', () => answered() >= 60, { deadlineMs: 60_000 });
  await killPrimary();
  const jobs = collection(db, jobsCollection);
  const isDone = async (): Promise<boolean> =>
    answered() >= jobIds.length && (await jobs.countDocuments({ state: 'ACTIVATED' })) === 0;
  const begun = performance.now();
  await waitFor('all jobs to be granted', () => isDone().catch(() => false), { deadlineMs: 90_000 });
  console.log(
    `measured: ${failures} calls failed; all jobs were granted ${Math.round(performance.now() - begun)} ms after the primary was killed`,
  );
  isOver = true;
  await Promise.all(asking);
  expect(failures).toBeGreaterThan(0);
  // Each job was granted to one worker, once, and the store agrees.
  const granted = workers.flatMap(({ id }, at) =>
    (held[at] ?? []).map(({ jobId, fence }) => ({ jobId, fence, workerId: id })),
  );
  const byJob = (a: { jobId: string }, b: { jobId: string }): number => (a.jobId < b.jobId ? -1 : 1);
  const stored = (await storedJobs(db, jobIds)).map(({ _id, fence, workerId }) => ({
    jobId: _id,
    fence,
    workerId,
  }));
  expect(granted.sort(byJob)).toEqual(stored.sort(byJob));
  await fleet.stop();
});
