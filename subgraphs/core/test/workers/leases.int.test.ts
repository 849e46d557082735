import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import type { TestDatabase } from '@rhizome/testkit';
import { leasesCollection } from '../../src/workers/worker.document.js';
import { fleetDatabase } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs } from '../support/fleet-jobs.fixture.js';
import { TestWorker } from '../support/test-worker.fixture.js';
import { type ManualFleet, startManualFleet } from '../support/manual-fleet.fixture.js';

let db: TestDatabase;
let fleet: ManualFleet;

beforeEach(async () => {
  db = await fleetDatabase();
  fleet = await startManualFleet(db);
});

afterEach(() => fleet.stop());

describe('a worker without heartbeats', () => {
  it('is lost when its lease ends, and not before; its jobs return for the next attempt', async () => {
    const worker = await TestWorker.register(fleet);
    const [id = '', one = ''] = await submitJobs(db, 2, {
      retry: { maxAttempts: 2 },
      requirements: { continuity: { continueSeconds: 0, reassignAfterSeconds: 0 } },
    });
    const grants = await worker.acquireInAll(2);
    await worker.start(grants.slice(0, 1));
    await fleet.pass(20);
    await worker.heartbeat(grants);
    await fleet.pass(29);
    await fleet.leaseWatch.scan();
    expect(await fleet.workerState(worker)).toBe('READY');
    await fleet.pass(2);
    await fleet.leaseWatch.scan();
    expect(await fleet.workerState(worker)).toBe('LOST');
    const jobs = await storedJobs(db, [id, one]);
    for (const job of jobs) {
      expect(job).toMatchObject({
        state: 'ACTIVATED',
        attempt: 1,
        attempts: [{ outcome: 'FAILED', error: { code: 'LEASE_LOST', family: 'WORKER' } }],
      });
    }
    expect(fleet.services.cache.ledger.workerUse(worker.id).jobs).toBe(0);
    expect(await collection(db, leasesCollection).findOne({ _id: worker.id })).toBeNull();

    // Calls of the lost worker are refused.
    expect((await worker.heartbeat(grants)).userErrors).toEqual([
      expect.objectContaining({ code: 'WORKER_LOST', path: ['workerId'] }),
    ]);
    expect((await worker.finish(grants)).userErrors).toEqual([
      expect.objectContaining({ code: 'WORKER_LOST' }),
    ]);
    await expect(worker.acquire(1)).rejects.toThrow(/WORKER_LOST/);

    const next = await TestWorker.register(fleet);
    const again = await next.acquireInAll(2);
    expect(again.map(({ attempt }) => attempt)).toEqual([2, 2]);
    await fleet.pass(31);
    await fleet.leaseWatch.scan();
    expect((await storedJobs(db, [id, one])).map(({ state }) => state)).toEqual(['FAILED', 'FAILED']);
  });

  it('is either in time or lost, never both, when a heartbeat meets the end of the lease', async () => {
    const worker = await TestWorker.register(fleet);
    await fleet.pass(31);
    // The lease has ended, but nobody has closed it: a sign of life still holds it.
    expect((await worker.heartbeat()).userErrors).toEqual([]);
    await fleet.leaseWatch.scan();
    expect(await fleet.workerState(worker)).toBe('READY');
    await fleet.pass(31);
    const [beat] = await Promise.all([worker.heartbeat(), fleet.leaseWatch.scan()]);
    const isLost = (await fleet.workerState(worker)) === 'LOST';
    expect(beat.userErrors.length > 0).toBe(isLost);
  });
});

describe('a grant that its worker never received', () => {
  it('is revoked after a later heartbeat does not list it, and stays if it is listed or runs', async () => {
    const worker = await TestWorker.register(fleet);
    const ids = await submitJobs(db, 3);
    const [lost, listed, running] = await worker.acquireInAll(3);
    if (!lost || !listed || !running) throw new Error('no grants');
    await worker.start([running]);
    await fleet.pass(22);
    await worker.heartbeat([listed]);
    await fleet.leaseWatch.scan();
    expect((await storedJobs(db, [lost.jobId]))[0]?.state).toBe('SENT');
    await fleet.pass(2);
    await worker.heartbeat([listed]);
    await fleet.leaseWatch.scan();
    const states = new Map((await storedJobs(db, ids)).map(({ _id, state }) => [_id, state]));
    expect(states.get(lost.jobId)).toBe('ACTIVATED');
    expect(states.get(listed.jobId)).toBe('SENT');
    expect(states.get(running.jobId)).toBe('RUNNING');
    await worker.finish([listed, running]);
    await worker.finish(await worker.acquire(1, { waitSeconds: 60 }));
  });
});

describe('a job that its worker began and no longer has', () => {
  it('is requeued after several heartbeats in a row do not list it', async () => {
    const worker = await TestWorker.register(fleet);
    const ids = await submitJobs(db, 3, { retry: { maxAttempts: 1 } });
    const grants = await worker.acquireInAll(3);
    const [gone, late, listed] = grants;
    if (!gone || !late || !listed) throw new Error('no grants');
    await worker.start(grants);
    const beat = async (held: typeof grants): Promise<void> => {
      await fleet.pass(15);
      await worker.heartbeat(held);
      await fleet.pass(16);
      await worker.heartbeat(held);
      await fleet.leaseWatch.scan();
    };
    for (let scans = 0; scans < 3; scans += 1) await beat([listed]);
    const before = await storedJobs(db, ids);
    expect(before.map(({ state }) => state)).toEqual(['RUNNING', 'RUNNING', 'RUNNING']);
    await beat([late, listed]);
    await beat([listed]);
    const states = new Map((await storedJobs(db, ids)).map(({ _id, state }) => [_id, state]));
    expect([gone, late, listed].map(({ jobId }) => states.get(jobId))).toEqual([
      'ACTIVATED',
      'RUNNING',
      'RUNNING',
    ]);
    expect((await storedJobs(db, [gone.jobId]))[0]).toMatchObject({
      attempts: [{ outcome: 'FAILED', error: { family: 'WORKER', code: 'JOB_LOST', retryable: true } }],
    });
    await worker.finish([late, listed]);
    await worker.finish(await worker.acquire(1, { waitSeconds: 60 }));
  });
});
