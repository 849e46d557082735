// The follow-up of lost leases, with what the leader sees late or a leader of an earlier version left.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { type ManualClock, manualClock, type TestDatabase } from '@rhizome/testkit';
import { leasesCollection } from '../../src/workers/worker.document.js';
import { fleetDatabase } from '../support/fleet.fixture.js';
import {
  adoptedBy,
  type ManualFleet,
  short,
  startManualFleet,
  uuid,
} from '../support/manual-fleet.fixture.js';
import { type PausableDatabase, pausableDatabase } from '../support/paused-change-stream.fixture.js';

let pausable: PausableDatabase;
let db: TestDatabase;
let fleet: ManualFleet;
let clock: ManualClock;

beforeEach(async () => {
  pausable = pausableDatabase(await fleetDatabase());
  db = pausable.db;
  clock = manualClock();
  fleet = await startManualFleet(db, clock);
});

afterEach(() => fleet.stop());

describe('a grant that its worker has not begun when contact is lost', () => {
  it('stays until a heartbeat shows that its worker did not receive it', async () => {
    const { worker, id, grants } = await fleet.sent(short);
    await fleet.passAndScan(22);
    await fleet.passAndScan(9);
    expect(await fleet.workerState(worker)).toBe('UNREACHABLE');
    await fleet.passAndScan(2);
    expect(await fleet.stored(id)).toMatchObject({ state: 'SENT', attempt: 1 });
    expect((await worker.start(grants)).userErrors).toEqual([]);
    await fleet.passAndScan(2);
    expect(await fleet.workerState(worker)).toBe('READY');
    expect(await fleet.stored(id)).toMatchObject({ state: 'RUNNING', attempt: 1 });
    await worker.finish(grants);
  });
});

describe('a lease that a leader of an earlier version has lost', () => {
  it('is final, and followed up', async () => {
    const { worker, id } = await fleet.running(short);
    const lost = { lostAt: clock.now(), lostReason: 'it sent no heartbeat until its lease ended' };
    await collection(db, leasesCollection).updateOne({ _id: worker.id }, { $set: lost });
    await fleet.passAndScan(2);
    expect(await fleet.workerState(worker)).toBe('LOST');
    expect(await fleet.stored(id)).toMatchObject({
      state: 'ACTIVATED',
      attempts: [{ error: { code: 'LEASE_LOST' } }],
    });
    expect(await collection(db, leasesCollection).findOne({ _id: worker.id })).toBeNull();
  });
});

describe('a leader without the event that a worker continues its job', () => {
  it('keeps the devices of the job booked', async () => {
    const { worker, id, grants } = await fleet.running(short, { devices: [uuid] });
    await fleet.passAndScan(31);
    await fleet.passAndScan(102);
    const { ledger } = fleet.services.cache;
    expect(ledger.get(id)).toBeUndefined();
    const resume = pausable.pause();
    const held = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    await fleet.leaseWatch.scan();
    expect(ledger.get(id)).toMatchObject({ fence: held[0]?.fence, deviceIds: [uuid] });
    expect(ledger.deviceUse(worker.id, uuid).thousandths).toBe(1000);
    resume();
    expect((await worker.finish(held)).userErrors).toEqual([]);
    expect(ledger.bookings(worker.id)).toBeUndefined();
  });
});
