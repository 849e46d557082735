/** Counts of failures, made from the event stream, against the attempts in the documents of jobs. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { type TestDatabase, waitFor } from '@rhizome/testkit';
import { failureStore } from '../../src/composition/event-stores.repository.js';
import { failureCountsCollection } from '../../src/events/failures/failure-counts.document.js';
import { StaleFailureCounts } from '../../src/events/failures/failure-counts.repository.js';
import { failureConsumer } from '../../src/events/failures/failure-work.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import { consumersCollection } from '../../src/jobs/transitions/consumer.document.js';
import { lostTimesCollection } from '../../src/workers/adoption/lost-time.document.js';
import { SupersededAttemptsRepository } from '../../src/workers/adoption/superseded-attempts.repository.js';
import { eventsDatabase, startEvents, TestJobs } from '../support/events.fixture.js';
import { countFailures, failing, failSome, storedRows, untilCounted } from '../support/failures.fixture.js';

let db: TestDatabase;
let jobs: TestJobs;

beforeEach(async () => {
  db = await eventsDatabase();
  jobs = new TestJobs(db);
});

afterEach(() => jobs.close());

/** Waits until counting has begun: failures before it do not count. */
async function untilBegun(): Promise<void> {
  const position = { _id: failureConsumer };
  await waitFor('a position', async () => collection(db, consumersCollection).findOne(position), {
    deadlineMs: 60_000,
  });
}

async function totals(): Promise<number> {
  const found = await collection(db, failureCountsCollection).find({ rollup: 'TOTAL' }).toArray();
  return found.flatMap(({ rows }) => rows).reduce((sum, { count }) => sum + count, 0);
}

describe('FailureWork', () => {
  it('counts every attempt that ended without success once, by each field', async () => {
    const { events } = await startEvents(db);
    const counting = countFailures(db, events);
    await untilBegun();
    for (let round = 0; round < 6; round++) await failSome(jobs, round);
    await untilCounted(db);
    expect((await storedRows(db, 'CODE')).length).toBeGreaterThan(10);
    await counting.stop();
  });

  it('equals the attempts after crashes and changes of the leader, though jobs fail all the time', async () => {
    const abort = new AbortController();
    const failures = async (): Promise<void> => {
      for (let round = 0; !abort.signal.aborted; round++) await failSome(jobs, round);
    };
    let { events, stop } = await startEvents(db, { ringSize: 50 });
    let counting = countFailures(db, events);
    await untilBegun();
    const failingJobs = failures();
    for (let term = 0; term < 4; term++) {
      const before = await totals();
      await waitFor('further counts', async () => (await totals()) > before, { deadlineMs: 60_000 });
      if (term % 2 === 0) {
        // A former leader that does not know yet that it no longer leads.
        const former = counting;
        counting = countFailures(db, events);
        const meanwhile = await totals();
        await waitFor('counts of both', async () => (await totals()) > meanwhile, { deadlineMs: 60_000 });
        await former.stop();
      } else {
        await counting.stop();
        await stop();
        ({ events, stop } = await startEvents(db, { ringSize: 50 }));
        counting = countFailures(db, events);
      }
    }
    abort.abort();
    await failingJobs;
    await untilCounted(db);
    await counting.stop();
  });

  it('leaves out an attempt that is valid again, and keeps its time if it was superseded', async () => {
    const { events } = await startEvents(db);
    const counting = countFailures(db, events);
    await untilBegun();
    const ids = await loseSome(2);
    const [returned = '', superseded = ''] = ids;
    await untilCounted(db);
    expect(await totals()).toBe(2);
    const adoption = {
      attempt: 1,
      workerId: 'worker_1',
      queueId: 'queue_north',
      queue: 'north',
      fence: 100_000,
      earlierFence: (await storedJob(returned)).attempts[0]?.fence ?? 0,
      gpu: { model: 'L4', count: 2 },
    };
    await jobs.move([returned], 'ACTIVATED', 'RUNNING', { by: 'adoption', change: { adoption } });
    await jobs.run([superseded], 'south');
    const before = await storedJob(superseded);
    const [{ fence = 0, endedAt = new Date(0) } = {}] = before.attempts;
    const late = new Date(endedAt.getTime() + 60_000);
    await new SupersededAttemptsRepository(db).record([{ jobId: superseded, fence, lostSeconds: 61 }], late);
    await untilNoLostTime();
    expect(await codeRows()).toEqual([
      expect.objectContaining({ code: 'LEASE_LOST', queue: 'north', count: 1, jobs: [superseded] }),
      expect.objectContaining({
        family: null,
        code: 'SUPERSEDED',
        queue: 'north',
        site: 'north-site',
        count: 1,
        coreSeconds: 60,
        gpuSeconds: 120,
      }),
    ]);
    // Nothing has happened to the job: it has ended.
    const after = await storedJob(superseded);
    expect({ ...after, attempts: [] }).toEqual({ ...before, attempts: [] });
    expect(after.attempts[0]).toMatchObject({ lostSeconds: 61 });
    expect(after.attempts[0]).not.toHaveProperty('unreachable');
    await counting.stop();
  });

  it('counts the time of superseded attempts once, through crashes of leaders', async () => {
    const { events } = await startEvents(db);
    let counting = countFailures(db, events);
    await untilBegun();
    const ids = await loseSome(40);
    await jobs.run(ids, 'south');
    const repository = new SupersededAttemptsRepository(db);
    const late = new Date(systemClock.now().getTime() + 60_000);
    let expected = 0;
    for (let first = 0; first < ids.length; first += 4) {
      const stored = await Promise.all(ids.slice(first, first + 4).map(storedJob));
      const lost = stored.map(({ _id: jobId, attempts: [{ fence = 0, endedAt = late } = {}] }) => {
        expected += (late.getTime() - endedAt.getTime()) / 1000;
        return { jobId, fence, lostSeconds: 61 };
      });
      // The former leader does not know yet that it no longer leads.
      const former = counting;
      counting = countFailures(db, events);
      await Promise.all([repository.record(lost, late), repository.record([...lost, ...lost], late)]);
      // Other failures, so that both write the same documents.
      await failSome(jobs, first);
      await former.stop();
    }
    await untilNoLostTime();
    const rows = (await codeRows()).filter(({ code }) => code === 'SUPERSEDED');
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(ids.length);
    expect(rows.reduce((sum, { coreSeconds }) => sum + coreSeconds, 0)).toBeCloseTo(expected, 1);
    await counting.stop();
  });
});

describe('FailureCountsRepository', () => {
  it('reports documents that another leader has made meanwhile, also together with lost time', async () => {
    const store = failureStore(db);
    const at = systemClock.now();
    const failure = { code: 'SUPERSEDED', cores: 1, seconds: 1, at };
    const lost = {
      _id: 'job_1 8',
      schemaVersion: 1,
      createdAt: at,
      jobId: 'job_1',
      experiment: 'alpha',
      failure,
    };
    await collection(db, lostTimesCollection).insertOne(lost);
    const targets = ['alpha', 'beta'].map((experiment) => ({
      ...{ id: `CODE ${experiment}`, rollup: 'CODE' as const, experiment, hour: at },
    }));
    const writes = (revisions: readonly (number | undefined)[]) =>
      targets.map((target, index) => ({
        target,
        changes: { rows: new Map(), revision: revisions[index], upTo: '82' },
      }));
    await store.save(writes([undefined, undefined]), [], at);
    // The first is new for this leader, the second was changed by it.
    await expect(store.save(writes([undefined, 1]), [lost], at)).rejects.toThrow(StaleFailureCounts);
    await expect(store.save(writes([7, 1]), [lost], at)).rejects.toThrow(StaleFailureCounts);
    expect(await store.lostTimes()).toHaveLength(1);
    const stored = await store.find(targets.map(({ id }) => id));
    expect([...stored.values()].map(({ revision }) => revision)).toEqual([1, 1]);
    await store.save(writes([1, 1]), [lost], at);
    expect(await store.lostTimes()).toEqual([]);
    await expect(store.save(writes([2, 2]), [lost], at)).rejects.toThrow(StaleFailureCounts);
  });
});

/** Jobs whose running attempts were given away. */
async function loseSome(count: number): Promise<readonly string[]> {
  const ids = await jobs.submit(count);
  await jobs.move(ids, 'ACTIVATED', 'SENT', {}, 'north', { model: 'L4', count: 2 });
  await jobs.move(ids, 'SENT', 'RUNNING');
  const { change } = failing('LEASE_LOST', { family: 'WORKER', retryable: true });
  const unreachableSince = new Date(systemClock.now().getTime() - 3_600_000);
  await jobs.move(ids, 'RUNNING', 'ACTIVATED', { by: 'lease', change: { ...change, unreachableSince } });
  return ids;
}

async function storedJob(id: string): Promise<JobDocument> {
  const found = await collection(db, jobsCollection).findOne({ _id: id });
  if (!found) throw new Error(`Job "${id}" not found.`);
  return found;
}

async function codeRows() {
  const found = await collection(db, failureCountsCollection).find({ rollup: 'CODE' }).toArray();
  return found.flatMap(({ rows }) => rows);
}

/** Waits until all lost time is counted. Counting goes on with the stream: an event moves it on. */
async function untilNoLostTime(): Promise<void> {
  const isCounted = async (): Promise<boolean> => {
    await jobs.submit(1);
    return (await collection(db, lostTimesCollection).countDocuments()) === 0;
  };
  await waitFor('counts of all lost time', isCounted, { deadlineMs: 60_000 });
}
