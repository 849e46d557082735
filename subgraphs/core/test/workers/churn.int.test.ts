import { beforeAll, expect, it } from '@jest/globals';
import { isDomainError } from '@rhizome/errors';
import { collection } from '@rhizome/mongo';
import { seededRandom, type TestDatabase, waitFor } from '@rhizome/testkit';
import { aQueue, aShare } from '../support/scheduler.fixture.js';
import type { Grant } from '../../src/scheduler/scheduler.types.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { heldStates, isHeld } from '../../src/jobs/model/job-state.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { submitJobs } from '../support/fleet-jobs.fixture.js';
import { TestWorker } from '../support/test-worker.fixture.js';

const cores = 6;
const devices = ['GPU-a', 'GPU-b'];
const seed = 20_300_101;
let db: TestDatabase;

beforeAll(async () => {
  db = await fleetDatabase();
});

const setup = {
  queues: [aQueue({ limits: { leaseSeconds: 30 } })],
  shares: [
    aShare({ path: 'alpha/default', nominalCores: 8 }),
    aShare({ path: 'beta/default', ownerLimitCores: 6 }),
  ],
  brokerTtlMs: 3000,
  brokerRenewMs: 500,
};

/** Observations of the agents, and the signal for their end. */
interface Course {
  isOver: boolean;
  grants: number;
  /** Grants of jobs that had been granted before. */
  repeats: number;
  /** Jobs that they finished. */
  finished: number;
}

/** Runs an agent that also makes the mistakes of real agents, until the observations say that it must end. */
async function agent(
  worker: TestWorker,
  fleets: readonly TestFleet[],
  random: () => number,
  course: Course,
): Promise<void> {
  const held: Grant[] = [];
  while (!course.isOver || held.length > 0) {
    const at = worker.at(fleets[Math.floor(random() * fleets.length)] ?? worker.fleet);
    try {
      if (!course.isOver && random() < 0.5) {
        const waitSeconds = random() < 0.3 ? 1 : 0;
        const count = 1 + Math.floor(random() * 4);
        const grants = await at.acquire(count, { waitSeconds, freeDeviceIds: devices });
        course.grants += grants.length;
        course.repeats += grants.filter(({ attempt }) => attempt > 1).length;
        held.push(...grants);
      }
      const some = held.splice(0, course.isOver ? held.length : Math.floor(random() * (held.length + 1)));
      if (random() < 0.8) await at.start(some);
      if (random() < 0.2 && !course.isOver) await at.fail(some);
      else course.finished += (await at.finish(some)).acceptedIds.length;
      if (random() < 0.3) await at.heartbeat(held);
    } catch (error) {
      // A process that does not lead, or was replaced in this moment: agents ask again.
      if (!isDomainError(error) || (error.code !== 'LEADER_UNAVAILABLE' && error.code !== 'EPOCH_STALE'))
        throw error;
      await waitFor('a process that leads', () => fleets.some((fleet) => fleet.services.scheduler.isReady), {
        deadlineMs: 60_000,
      });
    }
  }
}

/** A user who cancels one job for each few that are granted. */
async function canceller(fleet: TestFleet, random: () => number, course: Course): Promise<void> {
  const jobs = collection(db, jobsCollection);
  for (let next = 0; !course.isOver; next = course.grants + 6) {
    await waitFor('more grants', () => course.isOver || course.grants >= next, { deadlineMs: 60_000 });
    const state = (['ACTIVATED', 'SENT', 'RUNNING'] as const)[Math.floor(random() * 3)] ?? 'SENT';
    const found = await jobs.find({ state }).limit(1).toArray();
    await fleet.writer.apply(
      found.map(({ _id, state: from }) => ({
        jobId: _id,
        from,
        to: 'CANCELLED',
        by: 'principal',
        actor: 'ada@example',
      })),
    );
  }
}

/** Times during which each device of each worker was given to somebody. */
function deviceTimes(jobs: readonly JobDocument[]): Map<string, [number, number][]> {
  const times = new Map<string, [number, number][]>();
  for (const { attempts } of jobs) {
    for (const { workerId, deviceIds, sentAt, endedAt } of attempts) {
      for (const device of deviceIds) {
        const key = `${workerId} ${device}`;
        times.set(key, [...(times.get(key) ?? []), [sentAt.getTime(), endedAt?.getTime() ?? Infinity]]);
      }
    }
  }
  return times;
}

it(`keeps every job consistent while agents work, fail, repeat calls and lose their leader, and users cancel: seed ${seed}`, async () => {
  const random = seededRandom(seed);
  const first = await startFleet(db, setup);
  await waitFor('a leader', () => first.services.scheduler.isReady, { deadlineMs: 60_000 });
  const second = await startFleet(db, setup);
  const gpu = { count: 1, models: [], sassTargets: [], ptxTargets: [], nvlink: false, optional: false };
  await submitJobs(db, 150, { share: 'alpha/default', requirements: { cores: 1 } });
  await submitJobs(db, 150, { share: 'beta/default', requirements: { cores: 2 }, owner: 'bob@example' });
  await submitJobs(db, 60, { share: 'alpha/default', requirements: { gpu }, priority: 1 });
  const workers = await Promise.all(
    Array.from({ length: 5 }, () => TestWorker.register(first, { cores, devices })),
  );
  const alive = [first, second];
  const course: Course = { isOver: false, grants: 0, repeats: 0, finished: 0 };
  let worstUse = 0;
  const watch = setInterval(() => {
    const leader = [first, second].find(({ services }) => services.scheduler.isReady);
    for (const { id } of leader ? workers : [])
      worstUse = Math.max(worstUse, leader?.services.cache.ledger.workerUse(id).cores ?? 0);
  }, 5);
  const all = Promise.all([
    ...workers.map((worker) => agent(worker, alive, random, course)),
    canceller(second, random, course),
  ]);
  /** Waits for this number of further grants, or for the end of an agent that met an error. */
  const granted = (count: number): Promise<unknown> => {
    const wanted = course.grants + count;
    const seen = (): boolean => course.grants >= wanted && course.repeats > 0 && course.finished > 20;
    return Promise.race([waitFor(`${count} grants`, seen, { deadlineMs: 60_000 }), all]);
  };
  try {
    await granted(100);
    // It is gone: nobody reaches it any more.
    alive.shift();
    first.leadership.suspend();
    await waitFor('the next leader', () => second.services.scheduler.isReady, { deadlineMs: 60_000 });
    await granted(100);
  } finally {
    course.isOver = true;
    clearInterval(watch);
  }
  await all;

  const jobs = await collection(db, jobsCollection).find().toArray();
  expect(jobs.filter(({ state }) => state === 'FINISHED').length).toBeGreaterThan(20);
  expect(jobs.filter(({ attempts }) => attempts.length > 1).length).toBeGreaterThan(0);
  const fences = jobs.flatMap(({ attempts }) => attempts.map(({ fence }) => fence));
  expect(new Set(fences).size).toBe(fences.length);
  for (const { attempts, attempt, state, last } of jobs) {
    expect(attempts.map(({ number }) => number)).toEqual(attempts.map((_, index) => index + 1));
    expect(attempt).toBe(attempts.length);
    // At most the latest attempt is open, and only while a worker has the job.
    expect(attempts.slice(0, -1).every(({ endedAt }) => endedAt !== undefined)).toBe(true);
    expect(attempts.at(-1) !== undefined && attempts.at(-1)?.endedAt === undefined).toBe(isHeld(state));
    expect(last.to).toBe(state);
  }
  expect(worstUse).toBeLessThanOrEqual(cores);
  for (const times of deviceTimes(jobs).values()) {
    const sorted = times.sort(([a], [b]) => a - b);
    sorted.forEach(([from], index) => expect(from).toBeGreaterThanOrEqual(sorted[index - 1]?.[1] ?? 0));
  }
  // What the new leader has in its ledger is what the store says is in hands.
  const held = await waitFor(
    'the ledger follows',
    async () => {
      const found = await collection(db, jobsCollection)
        .find({ state: { $in: [...heldStates] } })
        .project<{ _id: string }>({ _id: 1 })
        .toArray();
      const known = [...second.services.cache.ledger.entries()].map(({ jobId }) => jobId).sort();
      const stored = found.map(({ _id }) => _id).sort();
      return JSON.stringify(known) === JSON.stringify(stored) && stored;
    },
    { deadlineMs: 60_000 },
  );
  // Grants whose answer was lost with the old leader may be left; everything else was given back.
  expect(held.length).toBeLessThanOrEqual(8);
});
