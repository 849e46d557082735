import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { type ManualClock, manualClock, type TestDatabase } from '@rhizome/testkit';
import { timeOf } from '../../src/shared/store-time.js';
import { LeasesRepository } from '../../src/workers/leases/leases.repository.js';
import { leasesCollection } from '../../src/workers/worker.document.js';
import { pilotOf } from '../support/core.fixture.js';
import { fleetDatabase } from '../support/fleet.fixture.js';
import { admin, TestWorker } from '../support/test-worker.fixture.js';
import { type ManualFleet, short, startManualFleet, uuid } from '../support/manual-fleet.fixture.js';

let db: TestDatabase;
let clock: ManualClock;
let fleet: ManualFleet;

beforeEach(async () => {
  db = await fleetDatabase();
  clock = manualClock();
  fleet = await startManualFleet(db, clock);
});

afterEach(() => fleet.stop());

const hasEnded = (worker: TestWorker, reason?: string) =>
  fleet.services.workers.drain(admin, { workerId: worker.id, hasEnded: true, reason });
const requeued = {
  state: 'ACTIVATED',
  attempt: 1,
  attempts: [{ outcome: 'FAILED', error: { code: 'WORKER_ENDED' } }],
};
const leases = () => new LeasesRepository(collection(db, leasesCollection), timeOf(clock));

describe('the reported end of an unreachable worker', () => {
  it('gives its jobs to other workers at once, and releases their devices', async () => {
    const { worker, id } = await fleet.running(short, { devices: [uuid], retry: { maxAttempts: 1 } });
    await fleet.passAndScan(31);
    expect(await fleet.workerState(worker)).toBe('UNREACHABLE');
    const { worker: ended, userErrors } = await hasEnded(worker, 'the node was switched off');
    expect({ state: ended?.state, userErrors }).toEqual({ state: 'ENDED', userErrors: [] });
    await fleet.passAndScan(1);
    expect(await fleet.stored(id)).toMatchObject(requeued);
    const neighbour = await TestWorker.register(fleet, { devices: [uuid] });
    const grants = await neighbour.acquire(1, { waitSeconds: 60, freeDeviceIds: [uuid] });
    expect(grants.map(({ jobId }) => jobId)).toEqual([id]);
  });

  it('charges no attempt to a job that stored a checkpoint after a notice', async () => {
    const payload = { notice: { seconds: 60, signal: 'NONE' as const } };
    const { worker, id, grants } = await fleet.running(short, { payload, retry: { maxAttempts: 1 } });
    await worker.checkpoint(grants, true);
    await fleet.passAndScan(31);
    await hasEnded(worker);
    await fleet.passAndScan(1);
    const end = { error: { code: 'CHECKPOINTED' } };
    expect(await fleet.stored(id)).toMatchObject({ state: 'ACTIVATED', plannedEnds: 1, attempts: [end] });
  });

  it('releases the devices of a job that was given away before', async () => {
    const { worker, id } = await fleet.running(short, { devices: [uuid] });
    await fleet.passAndScan(31);
    await fleet.passAndScan(100);
    expect((await fleet.stored(id)).state).toBe('ACTIVATED');
    const { ledger } = fleet.services.cache;
    expect([...ledger.retainedBookings()]).toHaveLength(1);
    await hasEnded(worker);
    await fleet.passAndScan(1);
    expect([...ledger.retainedBookings()]).toEqual([]);
    expect(await leases().findMany([worker.id])).toEqual([]);
    const neighbour = await TestWorker.register(fleet, { devices: [uuid] });
    expect(await neighbour.acquire(1, { waitSeconds: 60, freeDeviceIds: [uuid] })).toHaveLength(1);
  });

  it('is completed by the leader if the process that received the report ends', async () => {
    const { worker, id } = await fleet.running(short);
    await fleet.passAndScan(31);
    await leases().lose([worker.id], 'the node was switched off', { hasEnded: true });
    await fleet.passAndScan(1);
    expect(await fleet.workerState(worker)).toBe('ENDED');
    expect(await fleet.stored(id)).toMatchObject(requeued);
    expect(await hasEnded(worker)).toMatchObject({ worker: { state: 'ENDED' }, userErrors: [] });
  });

  it('lets its pilot return only as another worker', async () => {
    const { worker, grants } = await fleet.running(short);
    await fleet.passAndScan(31);
    await hasEnded(worker);
    expect((await worker.heartbeat(grants)).userErrors).toMatchObject([{ code: 'WORKER_NOT_FOUND' }]);
  });
});

describe('reportEndedBatchJobs', () => {
  const report = (batchJobIds: readonly string[], principal = admin) =>
    fleet.services.ends.endBatchJobs(principal, { queue: 'main', batchJobIds });

  it('ends all workers of these batch jobs, silent or not, and no others', async () => {
    const [first, second, other] = [
      await fleet.running(short, { batchJobId: '42' }),
      await fleet.running(short, { batchJobId: '42' }),
      await fleet.running(short, { batchJobId: '43' }),
    ];
    await fleet.pass(20);
    await second.worker.heartbeat(second.grants);
    await other.worker.heartbeat(other.grants);
    await fleet.passAndScan(11);
    expect(await fleet.workerState(first.worker)).toBe('UNREACHABLE');

    const { workers, userErrors } = await report(['42', 'of no worker']);
    expect(userErrors).toEqual([]);
    const ended = [first.worker.id, second.worker.id];
    expect(workers.map(({ _id, state, stateReason }) => [_id, state, stateReason]).sort()).toEqual(
      ended.map((id) => [id, 'ENDED', 'its batch job ended']).sort(),
    );
    await fleet.passAndScan(1);
    expect(await fleet.stored(first.id)).toMatchObject(requeued);
    expect(await fleet.stored(second.id)).toMatchObject(requeued);
    expect(await fleet.workerState(other.worker)).toBe('READY');
    expect(await fleet.stored(other.id)).toMatchObject({ state: 'RUNNING', attempt: 1 });
    expect(await report(['42'])).toEqual({ workers: [], userErrors: [] });
  });

  it('accepts a pilot of the queue, and neither one of another queue nor the credential of a worker', async () => {
    const { worker } = await fleet.running(short, { batchJobId: '42' });
    await expect(report(['42'], pilotOf('other'))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const credential = { ...pilotOf('main'), worker: worker.id };
    await expect(report(['42'], credential)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await fleet.workerState(worker)).toBe('READY');
    expect((await report(['42'], pilotOf('main'))).workers).toHaveLength(1);
  });

  it('refuses a queue that does not exist, and ids that are no ids', async () => {
    const { userErrors } = await fleet.services.ends.endBatchJobs(admin, {
      queue: 'nowhere',
      batchJobIds: [''],
    });
    expect(userErrors.map(({ code, path }) => [code, path.join('.')])).toEqual([
      ['INVALID_VALUE', 'batchJobIds.0'],
      ['QUEUE_NOT_FOUND', 'queue'],
    ]);
  });
});
