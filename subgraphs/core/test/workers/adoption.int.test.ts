import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type ManualClock, manualClock, type TestDatabase, waitFor } from '@rhizome/testkit';
import { fleetDatabase } from '../support/fleet.fixture.js';
import { submitJobs } from '../support/fleet-jobs.fixture.js';
import { TestWorker } from '../support/test-worker.fixture.js';
import {
  adoptedBy,
  type ManualFleet,
  short,
  startManualFleet,
  uuid,
} from '../support/manual-fleet.fixture.js';

let db: TestDatabase;
let fleet: ManualFleet;
let clock: ManualClock;

beforeEach(async () => {
  db = await fleetDatabase();
  clock = manualClock();
  fleet = await startManualFleet(db, clock);
});

afterEach(() => fleet.stop());

describe('a worker that returns after its job was given away', () => {
  it('continues the job that nobody has, under a new fence, and no attempt is charged', async () => {
    const { worker, id, grants } = await fleet.running(short, { requirements: { cores: 3 } });
    await fleet.passAndScan(31);
    await fleet.passAndScan(102);
    const { commands } = await worker.heartbeat(grants);
    const held = adoptedBy(grants, commands);
    expect(held[0]?.fence).toBeGreaterThan((grants[0]?.fence ?? 0) + 1);
    const job = await fleet.stored(id);
    expect(job).toMatchObject({
      state: 'RUNNING',
      attempt: 1,
      workerId: worker.id,
      attempts: [{ number: 1 }],
    });
    expect(job.attempts[0]).not.toHaveProperty('endedAt');
    expect(job.attempts[0]).not.toHaveProperty('error');
    expect(job).not.toHaveProperty('error');
    await waitFor('the ledger', () => fleet.services.cache.ledger.workerUse(worker.id).cores === 3, {
      deadlineMs: 60_000,
    });
    expect((await worker.reportFinished(grants)).userErrors).toEqual([
      expect.objectContaining({ code: 'FENCE_STALE' }),
    ]);
    expect((await worker.reportFinished(held)).userErrors).toEqual([]);
    expect((await fleet.stored(id)).state).toBe('FINISHED');
  });

  it('continues a job that stored a checkpoint after a notice, and the end that was planned is none', async () => {
    const payload = { notice: { seconds: 60, signal: 'NONE' as const } };
    const { worker, id, grants } = await fleet.running(short, { payload });
    await worker.checkpoint(grants, true);
    await fleet.passAndScan(31);
    await fleet.passAndScan(102);
    expect(await fleet.stored(id)).toMatchObject({ plannedEnds: 1, error: { code: 'CHECKPOINTED' } });
    const held = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    expect(await fleet.stored(id)).toMatchObject({ state: 'RUNNING', attempt: 1, plannedEnds: 0 });
    expect((await worker.finish(held)).userErrors).toEqual([]);
  });

  it('continues a job whose end for another job was announced, and no longer ends it', async () => {
    const { worker, id, grants } = await fleet.running(short, { requirements: { preemptible: true } });
    const request = { jobId: id, from: 'RUNNING', to: 'RUNNING', by: 'broker', actor: 'broker' } as const;
    const preemption = { jobId: 'job_other', priority: 100 };
    const fence = grants[0]?.fence ?? 0;
    expect(await fleet.writer.apply([{ ...request, fence, change: { preemption } }])).toMatchObject([
      { applied: true },
    ]);
    await fleet.passAndScan(31);
    await fleet.passAndScan(102);
    const held = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    const job = await fleet.stored(id);
    expect(job).toMatchObject({ state: 'RUNNING', attempt: 1, plannedEnds: 0 });
    expect(job.attempts[0]).not.toHaveProperty('preemption');
    await waitFor('the ledger', () => fleet.services.cache.ledger.get(id)?.fence === held[0]?.fence, {
      deadlineMs: 60_000,
    });
    expect((await worker.heartbeat(held)).commands).toEqual([]);
    expect((await worker.finish(held)).userErrors).toEqual([]);
  });

  it('gets the new fence again if the answer was lost', async () => {
    const { worker, grants } = await fleet.running(short);
    await fleet.passAndScan(31);
    await fleet.passAndScan(102);
    const first = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    const again = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    expect(again.map(({ fence }) => fence)).toEqual(first.map(({ fence }) => fence));
    expect((await worker.heartbeat(again)).commands).toEqual([]);
  });

  it('gets it as often as the answer was lost, also if it is unreachable between', async () => {
    const { worker, id, grants } = await fleet.running(short);
    for (let lost = 0; lost < 3; lost += 1) {
      await fleet.passAndScan(31);
      await fleet.passAndScan(102);
      expect((await fleet.stored(id)).state).toBe('ACTIVATED');
      adoptedBy(grants, (await worker.heartbeat(grants)).commands);
      await waitFor('the ledger', () => fleet.services.cache.ledger.get(id) !== undefined, {
        deadlineMs: 60_000,
      });
    }
    const held = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    expect((await worker.finish(held)).userErrors).toEqual([]);
  });

  it('replaces a grant that its worker has not begun; that worker drops it', async () => {
    const { worker, id, grants } = await fleet.running(short);
    await fleet.passAndScan(31);
    await fleet.passAndScan(102);
    const other = await TestWorker.register(fleet);
    const sent = await other.acquire(1, { waitSeconds: 60 });
    expect(sent).toMatchObject([{ jobId: id, attempt: 2 }]);
    const held = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    expect(held[0]?.fence).toBeGreaterThan(sent[0]?.fence ?? Infinity);
    expect(await fleet.stored(id)).toMatchObject({ state: 'RUNNING', attempt: 1, attempts: [{ number: 1 }] });
    expect((await fleet.stored(id)).attempts).toHaveLength(1);
    expect((await other.start(sent)).userErrors).toEqual([expect.objectContaining({ code: 'FENCE_STALE' })]);
    await waitFor('the ledger', () => fleet.services.cache.ledger.get(id)?.workerId === worker.id, {
      deadlineMs: 60_000,
    });
    expect((await other.heartbeat(sent)).commands).toMatchObject([{ kind: 'DROP', jobId: id }]);
    expect((await worker.finish(held)).userErrors).toEqual([]);
  });

  it.each(['STARTING', 'RUNNING'] as const)(
    'drops its payload if the newer attempt is %s, and its time is recorded as lost',
    async (phase) => {
      const { worker, id, grants } = await fleet.running(short);
      await fleet.passAndScan(31);
      await fleet.passAndScan(102);
      const other = await TestWorker.register(fleet);
      const sent = await other.acquire(1, { waitSeconds: 60 });
      await other.start(sent, phase);
      expect((await worker.heartbeat(grants)).commands).toMatchObject([{ kind: 'DROP', jobId: id }]);
      const [lost] = (await fleet.stored(id)).attempts;
      expect(lost?.lostSeconds).toBeGreaterThanOrEqual(132);
      expect(lost).not.toHaveProperty('unreachable');
      expect((await other.finish(sent)).userErrors).toEqual([]);
      expect(await fleet.stored(id)).toMatchObject({ state: 'FINISHED', attempt: 2 });
    },
  );

  it('drops the payload of a job that ended meanwhile', async () => {
    const { worker, id, grants } = await fleet.running(short);
    await fleet.passAndScan(31);
    await fleet.passAndScan(102);
    const other = await TestWorker.register(fleet);
    await other.finish(await other.acquire(1, { waitSeconds: 60 }));
    expect((await worker.heartbeat(grants)).commands).toMatchObject([{ kind: 'DROP', jobId: id }]);
    expect((await fleet.stored(id)).state).toBe('FINISHED');
  });

  it('kills the payload of a job that was cancelled while it was unreachable', async () => {
    const { worker, id, grants } = await fleet.running(short);
    await fleet.passAndScan(31);
    await fleet.writer.apply([
      {
        jobId: id,
        from: 'RUNNING',
        to: 'CANCELLED',
        by: 'principal',
        actor: 'ada@example',
        reason: 'no need',
      },
    ]);
    expect((await worker.heartbeat(grants)).commands).toMatchObject([
      { kind: 'KILL', jobId: id, reason: 'no need' },
    ]);
  });

  it('continues a job in its backoff', async () => {
    const { worker, id, grants } = await fleet.running(short, { retry: { backoffSeconds: 5000 } });
    await fleet.passAndScan(31);
    await fleet.passAndScan(102);
    expect((await fleet.stored(id)).state).toBe('PENDING');
    const held = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    const job = await fleet.stored(id);
    expect(job.state).toBe('RUNNING');
    expect(job).not.toHaveProperty('notBefore');
    expect(job.lookup.filter((key) => key.startsWith('b:'))).toEqual([]);
    expect((await worker.finish(held)).userErrors).toEqual([]);
  });

  it('gets one answer from two heartbeats at once, and one attempt counts', async () => {
    const { worker, id, grants } = await fleet.running(short);
    await fleet.passAndScan(31);
    await fleet.passAndScan(102);
    const beats = await Promise.all([worker.heartbeat(grants), worker.heartbeat(grants)]);
    const fences = beats.map(({ commands }) => adoptedBy(grants, commands)[0]?.fence);
    expect(new Set(fences).size).toBe(1);
    expect(await fleet.stored(id)).toMatchObject({ state: 'RUNNING', fence: fences[0], attempt: 1 });
    expect(
      (await fleet.stored(id)).transitions.filter(({ to, from }) => to === 'RUNNING' && from === 'ACTIVATED'),
    ).toHaveLength(1);
  });

  it('continues its job although the process that leads has changed meanwhile', async () => {
    const { worker, id, grants } = await fleet.running(short, { devices: [uuid] });
    await fleet.passAndScan(31);
    await fleet.stop();
    fleet = await startManualFleet(db, clock);
    await fleet.passAndScan(102);
    expect((await fleet.stored(id)).state).toBe('ACTIVATED');
    await fleet.stop();
    fleet = await startManualFleet(db, clock);
    expect(fleet.services.cache.ledger.deviceUse(worker.id, uuid).thousandths).toBe(1000);
    const back = worker.at(fleet);
    const held = adoptedBy(grants, (await back.heartbeat(grants)).commands);
    await waitFor('the ledger', () => fleet.services.cache.ledger.get(id)?.deviceIds.length === 1, {
      deadlineMs: 60_000,
    });
    expect((await back.finish(held)).userErrors).toEqual([]);
    await fleet.leaseWatch.scan();
    expect(fleet.services.cache.ledger.bookings(worker.id)).toBeUndefined();
  });
});

describe('devices of a job that was given away', () => {
  it('keeps them booked for every pilot of the host until its payload must have ended', async () => {
    const { id } = await fleet.running(short, { devices: [uuid] });
    await fleet.passAndScan(31);
    await fleet.passAndScan(102);
    expect((await fleet.stored(id)).state).toBe('ACTIVATED');
    const neighbour = await TestWorker.register(fleet, { devices: [uuid] });
    expect(await neighbour.acquire(1, { freeDeviceIds: [uuid] })).toEqual([]);
    // Nothing else of the host is booked: a job without a device runs.
    const [plain = ''] = await submitJobs(db, 1);
    const grants = await neighbour.acquire(1, { waitSeconds: 60, freeDeviceIds: [uuid] });
    expect(grants.map(({ jobId }) => jobId)).toEqual([plain]);
    await neighbour.finish(grants);
    for (let left = 900; left > 0; left -= 25) {
      await fleet.passAndScan(Math.min(left, 25));
      await neighbour.heartbeat();
    }
    const late = await neighbour.acquire(1, { waitSeconds: 60, freeDeviceIds: [uuid] });
    expect(late.map(({ jobId }) => jobId)).toEqual([id]);
    await neighbour.finish(late);
  });

  it('releases them when the worker has returned and no longer lists the job', async () => {
    const { worker, id, grants } = await fleet.running(short, { devices: [uuid] });
    await fleet.passAndScan(31);
    await fleet.passAndScan(102);
    const other = await TestWorker.register(fleet, { host: 'host-2', devices: ['GPU-other'] });
    await other.start(await other.acquire(1, { waitSeconds: 60, freeDeviceIds: ['GPU-other'] }));
    expect((await worker.heartbeat(grants)).commands).toMatchObject([{ kind: 'DROP', jobId: id }]);
    await fleet.leaseWatch.scan();
    expect(fleet.services.cache.ledger.deviceUse(worker.id, uuid).thousandths).toBe(1000);
    await worker.heartbeat([]);
    await fleet.leaseWatch.scan();
    expect(fleet.services.cache.ledger.bookings(worker.id)).toBeUndefined();
  });
});
