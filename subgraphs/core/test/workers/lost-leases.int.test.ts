// The follow-up of lost leases, with what the leader sees late or a leader of an earlier version left.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { type ManualClock, manualClock, type TestDatabase, waitFor } from '@rhizome/testkit';
import { timeOf } from '../../src/shared/store-time.js';
import type { Grant } from '../../src/scheduler/scheduler.types.js';
import { leasesCollection, workersCollection } from '../../src/workers/worker.document.js';
import {
  fleetDatabase,
  startFleet,
  storedJobs,
  submitJobs,
  type TestFleet,
  TestWorker,
} from '../support/fleet.fixture.js';
import { type PausableDatabase, pausableDatabase } from '../support/paused-change-stream.fixture.js';
import { aQueue } from '../support/scheduler.fixture.js';

let pausable: PausableDatabase;
let db: TestDatabase;
let fleet: TestFleet;
let clock: ManualClock;

const uuid = 'GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f';
const continuity = { continueSeconds: 1000, reassignAfterSeconds: 100 };

beforeEach(async () => {
  pausable = pausableDatabase(await fleetDatabase());
  db = pausable.db;
  clock = manualClock();
  fleet = await startFleet(db, {
    clock,
    storeTime: timeOf(clock),
    queues: [aQueue({ limits: { leaseSeconds: 30 } })],
    graceMs: 20_000,
    leaseScanMs: 3_600_000,
    brokerRenewMs: 3_600_000,
  });
  await waitFor('the broker leads', () => fleet.services.scheduler.isReady, { deadlineMs: 60_000 });
});

afterEach(() => fleet.stop());

/** Time goes on in steps that the broker's lease survives, and the leader follows up leases. */
async function passAndScan(seconds: number): Promise<void> {
  for (let left = seconds; left > 0; left -= 2) {
    clock.advance(Math.min(left, 2) * 1000);
    await fleet.leadership.step();
  }
  await fleet.leaseWatch.scan();
}

const workerState = async ({ id }: TestWorker) =>
  (await collection(db, workersCollection).findOne({ _id: id }))?.state;

const stored = async (id: string) => (await storedJobs(db, [id]))[0];

/** A job that was sent to a worker, and its grant. */
async function sent(
  devices: readonly string[] = [],
): Promise<{ readonly worker: TestWorker; readonly id: string; readonly grants: readonly Grant[] }> {
  const worker = await TestWorker.register(fleet, { devices });
  const gpu = { count: 1, models: [], sassTargets: [], ptxTargets: [], nvlink: false, optional: false };
  const requirements = { continuity, ...(devices.length > 0 ? { gpu } : {}) };
  const [id = ''] = await submitJobs(db, 1, { requirements });
  const grants = await worker.acquire(1, { waitSeconds: 60, freeDeviceIds: devices });
  return { worker, id, grants };
}

describe('a grant that its worker has not begun when contact is lost', () => {
  it('stays until a heartbeat shows that its worker did not receive it', async () => {
    const { worker, id, grants } = await sent();
    await passAndScan(22);
    await passAndScan(9);
    expect(await workerState(worker)).toBe('UNREACHABLE');
    await passAndScan(2);
    expect(await stored(id)).toMatchObject({ state: 'SENT', attempt: 1 });
    expect((await worker.start(grants)).userErrors).toEqual([]);
    await passAndScan(2);
    expect(await workerState(worker)).toBe('READY');
    expect(await stored(id)).toMatchObject({ state: 'RUNNING', attempt: 1 });
    await worker.finish(grants);
  });
});

describe('a lease that a leader of an earlier version has lost', () => {
  it('is final, and followed up', async () => {
    const { worker, id, grants } = await sent();
    await worker.start(grants);
    const lost = { lostAt: clock.now(), lostReason: 'it sent no heartbeat until its lease ended' };
    await collection(db, leasesCollection).updateOne({ _id: worker.id }, { $set: lost });
    await passAndScan(2);
    expect(await workerState(worker)).toBe('LOST');
    expect(await stored(id)).toMatchObject({
      state: 'ACTIVATED',
      attempts: [{ error: { code: 'LEASE_LOST' } }],
    });
    expect(await collection(db, leasesCollection).findOne({ _id: worker.id })).toBeNull();
  });
});

describe('a leader without the event that a worker continues its job', () => {
  it('keeps the devices of the job booked', async () => {
    const { worker, id, grants } = await sent([uuid]);
    await worker.start(grants);
    await passAndScan(31);
    await passAndScan(102);
    const { ledger } = fleet.services.cache;
    expect(ledger.get(id)).toBeUndefined();
    const resume = pausable.pause();
    const [command] = (await worker.heartbeat(grants)).commands;
    const { newFence } = command ?? {};
    if (newFence === undefined) throw new Error(`no ADOPT: ${JSON.stringify(command)}`);
    const held = grants.map((grant) => ({ ...grant, fence: newFence }));
    await fleet.leaseWatch.scan();
    expect(ledger.get(id)).toMatchObject({ fence: held[0]?.fence, deviceIds: [uuid] });
    expect(ledger.deviceUse(worker.id, uuid).thousandths).toBe(1000);
    resume();
    expect((await worker.finish(held)).userErrors).toEqual([]);
    expect(ledger.bookings(worker.id)).toBeUndefined();
  });
});
