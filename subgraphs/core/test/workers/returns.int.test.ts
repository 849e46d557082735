import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { type ManualClock, manualClock, type TestDatabase } from '@rhizome/testkit';
import { timeOf } from '../../src/shared/store-time.js';
import { EndedLeasesRepository } from '../../src/workers/lease-clock/ended-leases.repository.js';
import { Pauses } from '../../src/workers/lease-clock/pauses.js';
import { leasesCollection } from '../../src/workers/worker.document.js';
import { fleetDatabase } from '../support/fleet.fixture.js';
import { submitJobs } from '../support/fleet-jobs.fixture.js';
import { admin } from '../support/test-worker.fixture.js';
import { type ManualFleet, short, startManualFleet } from '../support/manual-fleet.fixture.js';
import { aQueue } from '../support/scheduler.fixture.js';

let db: TestDatabase;
let fleet: ManualFleet;
let clock: ManualClock;

beforeEach(async () => {
  db = await fleetDatabase();
  clock = manualClock();
  fleet = await startManualFleet(db, clock);
});

afterEach(() => fleet.stop());

describe('a worker that is silent for less time than its jobs wait', () => {
  it('is unreachable, and then goes on as if nothing had happened', async () => {
    const { worker, id, grants } = await fleet.running(short);
    const before = await fleet.stored(id);
    await fleet.passAndScan(31);
    expect(await fleet.workerState(worker)).toBe('UNREACHABLE');
    await fleet.passAndScan(90);
    expect(await fleet.stored(id)).toEqual(before);
    expect(await worker.heartbeat(grants)).toMatchObject({ commands: [], userErrors: [] });
    expect(await fleet.workerState(worker)).toBe('READY');
    await fleet.passAndScan(20);
    expect((await worker.finish(grants)).userErrors).toEqual([]);
    expect(await fleet.stored(id)).toMatchObject({
      state: 'FINISHED',
      attempt: 1,
      attempts: [{ number: 1 }],
    });
  });

  it('comes back with a report or a request for jobs, too', async () => {
    const { worker, grants } = await fleet.running(short);
    await fleet.passAndScan(31);
    expect((await worker.reportFinished(grants)).userErrors).toEqual([]);
    expect(await fleet.workerState(worker)).toBe('READY');

    const { worker: other } = await fleet.running(short);
    await fleet.passAndScan(31);
    expect(await fleet.workerState(other)).toBe('UNREACHABLE');
    await submitJobs(db, 1);
    const more = await other.acquire(1, { waitSeconds: 60 });
    expect(more).toHaveLength(1);
    expect(await fleet.workerState(other)).toBe('READY');
  });

  it('drains when it comes back, if it was to drain', async () => {
    const { worker, grants } = await fleet.running(short);
    await fleet.passAndScan(31);
    await fleet.services.workers.drain(admin, { workerId: worker.id, reason: 'upgrade' });
    expect((await worker.heartbeat(grants)).commands).toEqual([{ kind: 'DRAIN', reason: 'upgrade' }]);
  });

  it('is not brought back by another principal', async () => {
    const { worker, id, grants } = await fleet.running(short);
    await fleet.passAndScan(31);
    const jobs = grants.map(({ jobId, fence }) => ({ id: jobId, fence }));
    await expect(
      fleet.services.workers.heartbeat(admin, { workerId: worker.id, jobs }),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await fleet.workerState(worker)).toBe('UNREACHABLE');
    expect((await fleet.stored(id)).state).toBe('RUNNING');
  });
});

describe('a job that its worker no longer has when it returns', () => {
  it('goes to another worker at once; new jobs of the worker stay', async () => {
    const { worker, id } = await fleet.running(short, { retry: { maxAttempts: 1 } });
    await fleet.passAndScan(31);
    const [fresh = ''] = await submitJobs(db, 1);
    const more = await worker.acquire(1, { waitSeconds: 60 });
    expect(more.map(({ jobId }) => jobId)).toEqual([fresh]);
    await worker.start(more);
    expect(await worker.heartbeat([])).toMatchObject({ commands: [], userErrors: [] });
    expect(await fleet.stored(id)).toMatchObject({
      state: 'ACTIVATED',
      attempts: [{ error: { code: 'JOB_LOST' } }],
    });
    expect((await fleet.stored(fresh)).state).toBe('RUNNING');
    await worker.heartbeat([]);
    expect((await fleet.stored(fresh)).state).toBe('RUNNING');
  });

  it('goes to another worker at once, also if the leader has not noticed the end of the lease', async () => {
    const { worker, id } = await fleet.running({ continueSeconds: 0, reassignAfterSeconds: 0 });
    await fleet.pass(31);
    await new EndedLeasesRepository(collection(db, leasesCollection), timeOf(clock)).lose(
      clock.now(),
      new Pauses(),
    );
    expect(await worker.heartbeat([])).toMatchObject({ userErrors: [] });
    expect((await fleet.stored(id)).state).toBe('ACTIVATED');
    expect(await fleet.workerState(worker)).toBe('READY');
  });
});

describe('a job whose worker stays silent', () => {
  it('goes to another worker when its lease is over if its payload stops with the lease', async () => {
    const { worker, id } = await fleet.running({ continueSeconds: 0, reassignAfterSeconds: 0 });
    await fleet.passAndScan(31);
    expect(await fleet.stored(id)).toMatchObject({
      state: 'ACTIVATED',
      attempts: [{ outcome: 'FAILED', error: { code: 'LEASE_LOST' } }],
    });
    expect((await fleet.stored(id)).attempts[0]?.unreachable).toBeUndefined();
    expect(await fleet.workerState(worker)).toBe('LOST');
  });

  it('is given away when its time is over, and its worker is lost when its payload must have ended', async () => {
    const { worker, id } = await fleet.running(short);
    await fleet.passAndScan(31);
    await fleet.passAndScan(98);
    expect((await fleet.stored(id)).state).toBe('RUNNING');
    await fleet.passAndScan(4);
    expect(await fleet.stored(id)).toMatchObject({
      state: 'ACTIVATED',
      attempts: [{ outcome: 'FAILED', unreachable: { state: 'RUNNING', queue: 'main' } }],
    });
    expect(await fleet.workerState(worker)).toBe('UNREACHABLE');
    await fleet.passAndScan(900);
    expect(await fleet.workerState(worker)).toBe('LOST');
    expect(await collection(db, leasesCollection).findOne({ _id: worker.id })).toBeNull();
  });

  it('stays with its worker if no attempt is left, and fails when its payload must have ended', async () => {
    const { worker, id, grants } = await fleet.running(short, { retry: { maxAttempts: 1 } });
    await fleet.passAndScan(31);
    await fleet.passAndScan(200);
    expect((await fleet.stored(id)).state).toBe('RUNNING');
    expect((await worker.heartbeat(grants)).commands).toEqual([]);
    await fleet.passAndScan(31);
    await fleet.passAndScan(1001);
    expect(await fleet.stored(id)).toMatchObject({ state: 'FAILED', error: { code: 'LEASE_LOST' } });
  });

  it('follows the bounds of its queue', async () => {
    fleet.queues[0] = aQueue({
      revision: 2,
      limits: { leaseSeconds: 30 },
      continuity: { maxContinueSeconds: 0 },
    });
    await fleet.services.cache.refresh();
    const { id, grants } = await fleet.running(short);
    expect(grants[0]?.continueSeconds).toBe(0);
    expect((await fleet.stored(id)).attempts[0]?.continuity).toEqual({
      continueSeconds: 0,
      reassignAfterSeconds: 0,
    });
    await fleet.passAndScan(31);
    expect((await fleet.stored(id)).state).toBe('ACTIVATED');
  });
});

describe('Job.pending', () => {
  it('explains lost contact', async () => {
    const { worker, id } = await fleet.running(short);
    expect(await fleet.services.scheduler.pending(await fleet.stored(id))).toBeNull();
    await fleet.passAndScan(31);
    const lostAt = (await collection(db, leasesCollection).findOne({ _id: worker.id }))?.lostAt;
    const reassignAt = new Date((lostAt?.getTime() ?? 0) + 100_000).toISOString();
    const facts = await fleet.services.scheduler.pending(await fleet.stored(id));
    expect(facts?.summary).toContain(`Worker ${worker.id} is unreachable since ${lostAt?.toISOString()}`);
    expect(facts?.summary).toContain(`another worker gets the job at ${reassignAt}`);
    await fleet.passAndScan(102);
    const waiting = await fleet.services.scheduler.pending(await fleet.stored(id));
    expect(waiting?.summary).toContain('continues the job if it returns before another worker has begun it');
    await fleet.services.workers.drain(admin, { workerId: worker.id, hasEnded: true });
    const proven = await fleet.services.scheduler.pending(await fleet.stored(id));
    expect(proven?.summary).not.toContain(worker.id);
  });

  it('explains why a silent worker is not lost', async () => {
    await fleet.stop();
    fleet = await startManualFleet(db, clock, { needsGateway: true });
    const { worker, id } = await fleet.running(short);
    await fleet.passAndScan(31);
    expect(await fleet.workerState(worker)).toBe('READY');
    const facts = await fleet.services.scheduler.pending(await fleet.stored(id));
    expect(facts?.summary).toMatch(
      new RegExp(`^Worker ${worker.id} has not reported since .*no gateway reports that it accepts pilots`),
    );
  });
});
