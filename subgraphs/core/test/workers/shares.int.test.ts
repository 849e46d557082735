import { beforeEach, describe, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { type TestDatabase, waitFor } from '@rhizome/testkit';
import { aQueue, aShare } from '../support/scheduler.fixture.js';
import { ReadyJobsRepository } from '../../src/scheduler/cache/ready-jobs.repository.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs } from '../support/fleet-jobs.fixture.js';
import { TestWorker } from '../support/test-worker.fixture.js';

let db: TestDatabase;
let fleet: TestFleet;

beforeEach(async () => {
  db = await fleetDatabase();
  fleet = await startFleet(db, { queues: [aQueue({})], shares: [aShare({ ownerLimitCores: 2 })] });
  await waitFor('the broker leads', () => fleet.services.scheduler.isReady, { deadlineMs: 60_000 });
});

const countOf = (state: 'THROTTLED' | 'ACTIVATED' | 'FINISHED') =>
  collection(db, jobsCollection).countDocuments({ state });

describe('an owner over the limit', () => {
  it('has the rest of its jobs throttled, and gets them back when it has free capacity again', async () => {
    const worker = await TestWorker.register(fleet);
    const ids = await submitJobs(db, 6, { owner: 'ada@example' });
    const held = [...(await worker.acquireInAll(2))];
    expect(held).toHaveLength(2);
    // Its other jobs are met by those who ask, and put aside; nobody else is held up by them.
    const others = await submitJobs(db, 2, { owner: 'bob@example' });
    const found = await worker.acquireInAll(2);
    expect(found.map(({ jobId }) => jobId).sort()).toEqual([...others].sort());
    await waitFor('they are throttled', async () => (await countOf('THROTTLED')) === 4, {
      deadlineMs: 60_000,
    });
    const [throttled] = await collection(db, jobsCollection).find({ state: 'THROTTLED' }).toArray();
    if (!throttled) throw new Error('nothing is throttled');
    expect(throttled.last.reason).toMatch(
      /ada@example has reached its limit of 2 cores in share alpha\/default/,
    );
    expect((await fleet.services.scheduler.pending(throttled))?.summary).toMatch(/limit of cores/);
    await worker.finish(found);
    for (let left = 6; left > 0;) {
      await worker.finish(held.splice(0, 1));
      left -= 1;
      if (held.length === 0 && left > 0) held.push(...(await worker.acquire(8, { waitSeconds: 60 })));
      expect(fleet.services.cache.ledger.ownerCores('alpha/default', 'ada@example')).toBeLessThanOrEqual(2);
    }
    expect((await storedJobs(db, ids)).map(({ state, attempt }) => [state, attempt])).toEqual(
      ids.map(() => ['FINISHED', 1]),
    );
  });

  it('gets all of them back when the limit is lifted', async () => {
    const worker = await TestWorker.register(fleet);
    await submitJobs(db, 8);
    const held = await worker.acquireInAll(2);
    await worker.acquire(8);
    await waitFor('they are throttled', async () => (await countOf('THROTTLED')) === 6, {
      deadlineMs: 60_000,
    });
    fleet.shares.splice(0, 1, aShare({}));
    const rest = await worker.acquireInAll(6);
    expect(rest).toHaveLength(6);
    await worker.finish([...held, ...rest]);
    expect(await countOf('FINISHED')).toBe(8);
  });
});

describe('the explanation of a waiting job', () => {
  it('names the constraints with the workers that meet them, and the position in the share', async () => {
    await TestWorker.register(fleet, { cores: 4 });
    await TestWorker.register(fleet, { cores: 8 });
    const [big = ''] = await submitJobs(db, 1, { requirements: { cores: 16, containerRuntime: 'podman' } });
    const [small = ''] = await submitJobs(db, 1, { requirements: { cores: 6 }, share: 'beta/default' });
    await submitJobs(db, 3, { requirements: { cores: 6 }, share: 'beta/default', priority: 5 });
    const [bigJob, smallJob] = await storedJobs(db, [big, small]);
    if (!bigJob || !smallJob) throw new Error('no jobs');
    const why = await fleet.services.scheduler.pending(bigJob);
    expect(why).toMatchObject({ workersConsidered: 2, workersThatFit: 0, workersFreeNow: 0 });
    expect(why?.constraints).toContainEqual(
      expect.objectContaining({
        constraint: 'cores >= 16',
        workersThatPass: 0,
        reasons: ['has 4 (1 worker)', 'has 8 (1 worker)'],
      }),
    );
    expect(why?.summary).toMatch(/^None of 2 workers meets "/);
    const waits = await waitFor(
      'the place is known',
      async () => {
        const facts = await fleet.services.scheduler.pending(smallJob);
        return facts?.position === 3 && facts;
      },
      { deadlineMs: 60_000 },
    );
    expect(waits).toMatchObject({ workersThatFit: 1, workersFreeNow: 1, isShareBorrowing: true });
    expect(waits.summary).toBe(
      'Ready: 1 worker has free capacity for it; 3 jobs of its share come before it.',
    );
  });

  it('says what holds a job back before any worker is considered, and nothing once it was sent', async () => {
    const [id = ''] = await submitJobs(db, 1);
    const [job] = await storedJobs(db, [id]);
    if (!job) throw new Error('no job');
    const { scheduler } = fleet.services;
    const pending = async (change: object) => (await scheduler.pending({ ...job, ...change }))?.summary;
    expect(await pending({ state: 'PENDING', hold: { by: 'ada', reason: 'later', at: new Date(0) } })).toBe(
      'Held by ada: later',
    );
    expect(await pending({ state: 'PENDING', waitingFor: ['job_a', 'job_b'] })).toBe(
      'Waits for job_a and 1 more to finish.',
    );
    expect(await pending({ state: 'PENDING', notBefore: new Date('2031-01-01T00:00:00Z') })).toMatch(
      /2031-01-01T00:00:00.000Z/,
    );
    expect(await pending({})).toMatch(/No live worker/);
    expect(await scheduler.pending({ ...job, state: 'RUNNING' })).toBeNull();
    expect(await scheduler.pending({ ...job, state: 'FINISHED' })).toBeNull();
  });
});

describe('reading ready jobs', () => {
  it('reads what is needed, not what is pending: 20,000 jobs of 4 kinds', async () => {
    for (let kind = 0; kind < 4; kind += 1)
      await submitJobs(db, 5000, { requirements: { memoryMiB: 100 + kind }, priority: kind % 2 });
    const jobs = collection(db, jobsCollection);
    const repository = new ReadyJobsRepository(jobs);
    await db.command({ profile: 2 });
    const kinds = [];
    for await (const kind of repository.readyKinds()) kinds.push(kind);
    expect(kinds).toHaveLength(4);
    const [kind] = kinds;
    if (!kind) throw new Error('no kind');
    const first = await repository.ready(kind, { after: undefined, limit: 500 });
    const last = first[499];
    const second = await repository.ready(kind, {
      after: last && { priority: last.priority, id: last.id },
      limit: 500,
    });
    await db.command({ profile: 0 });
    expect(new Set([...first, ...second].map(({ id }) => id)).size).toBe(1000);
    expect([...first, ...second].map(({ id }) => id)).toEqual(
      [...first, ...second].map(({ id }) => id).sort(),
    );
    const reads = await db.collection('system.profile').find({ ns: jobs.namespace, op: 'query' }).toArray();
    expect(reads.length).toBeGreaterThan(2);
    for (const { docsExamined, keysExamined, nreturned, planSummary, hasSortStage } of reads) {
      expect(planSummary).toMatch(/^IXSCAN/);
      expect(hasSortStage).not.toBe(true);
      expect(Math.max(docsExamined as number, keysExamined as number)).toBeLessThanOrEqual(
        (nreturned as number) + 4,
      );
    }
  });
});
