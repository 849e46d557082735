import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { type ManualClock, manualClock, type TestDatabase, waitFor } from '@rhizome/testkit';
import type { StatedContinuity } from '../../src/shared/continuity.js';
import { timeOf } from '../../src/shared/store-time.js';
import type { Grant } from '../../src/scheduler/scheduler.types.js';
import { EndedLeasesRepository } from '../../src/workers/lease-clock/ended-leases.repository.js';
import { Pauses } from '../../src/workers/lease-clock/pauses.js';
import { leasesCollection, workersCollection } from '../../src/workers/worker.document.js';
import {
  admin,
  fleetDatabase,
  pilotOf,
  startFleet,
  storedJobs,
  submitJobs,
  type TestFleet,
  type TestJob,
  TestWorker,
} from '../support/fleet.fixture.js';
import { aQueue } from '../support/scheduler.fixture.js';

let db: TestDatabase;
let fleet: TestFleet;
let clock: ManualClock;

const uuid = 'GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f';

/** A process of core whose leases are followed up by the tests alone. */
function start(): Promise<TestFleet> {
  return startFleet(db, {
    clock,
    storeTime: timeOf(clock),
    queues: [aQueue({ limits: { leaseSeconds: 30 } })],
    graceMs: 20_000,
    leaseScanMs: 3_600_000,
    brokerRenewMs: 3_600_000,
  });
}

const leads = (core: TestFleet): Promise<unknown> =>
  waitFor('the broker leads', () => core.services.scheduler.isReady, { deadlineMs: 60_000 });

beforeEach(async () => {
  db = await fleetDatabase();
  clock = manualClock();
  fleet = await start();
  await leads(fleet);
});

afterEach(() => fleet.stop());

/** Time goes on in steps that the broker's lease survives. */
async function pass(seconds: number): Promise<void> {
  for (let left = seconds; left > 0; left -= 2) {
    clock.advance(Math.min(left, 2) * 1000);
    await fleet.leadership.step();
  }
}

/** Time goes on, and the leader follows up leases. */
async function passAndScan(seconds: number): Promise<void> {
  await pass(seconds);
  await fleet.leaseWatch.scan();
}

const workerState = async ({ id }: TestWorker) =>
  (await collection(db, workersCollection).findOne({ _id: id }))?.state;

const stored = async (id: string) => {
  const [job] = await storedJobs(db, [id]);
  if (!job) throw new Error(`no job ${id}`);
  return job;
};

/** A job that a worker runs. */
async function running(
  continuity: StatedContinuity,
  { devices = [], ...change }: TestJob & { readonly devices?: readonly string[] } = {},
): Promise<{ readonly worker: TestWorker; readonly id: string; readonly grants: readonly Grant[] }> {
  const worker = await TestWorker.register(fleet, { devices });
  const [id = ''] = await submitJobs(db, 1, {
    ...change,
    requirements: { continuity, ...change.requirements },
  });
  const grants = await worker.acquire(1, { waitSeconds: 60, freeDeviceIds: devices });
  await worker.start(grants);
  return { worker, id, grants };
}

const short: StatedContinuity = { continueSeconds: 1000, reassignAfterSeconds: 100 };

/** The worker's jobs under the fences that it was given by ADOPT. */
const adoptedBy = (
  grants: readonly Grant[],
  commands: readonly { readonly kind: string; readonly jobId?: string; readonly newFence?: number }[],
): readonly Grant[] =>
  grants.map((grant) => {
    const command = commands.find(({ kind, jobId }) => kind === 'ADOPT' && jobId === grant.jobId);
    if (command?.newFence === undefined) throw new Error(`no ADOPT: ${JSON.stringify(commands)}`);
    return { ...grant, fence: command.newFence };
  });

describe('a worker that is silent for less time than its jobs wait', () => {
  it('is unreachable, and then goes on as if nothing had happened', async () => {
    const { worker, id, grants } = await running(short);
    const before = await stored(id);
    await passAndScan(31);
    expect(await workerState(worker)).toBe('UNREACHABLE');
    await passAndScan(90);
    expect(await stored(id)).toEqual(before);
    expect(await worker.heartbeat(grants)).toMatchObject({ commands: [], userErrors: [] });
    expect(await workerState(worker)).toBe('READY');
    await passAndScan(20);
    expect((await worker.finish(grants)).userErrors).toEqual([]);
    expect(await stored(id)).toMatchObject({ state: 'FINISHED', attempt: 1, attempts: [{ number: 1 }] });
  });

  it('comes back with a report or a request for jobs, too', async () => {
    const { worker, grants } = await running(short);
    await passAndScan(31);
    expect((await worker.reportFinished(grants)).userErrors).toEqual([]);
    expect(await workerState(worker)).toBe('READY');

    const { worker: other } = await running(short);
    await passAndScan(31);
    expect(await workerState(other)).toBe('UNREACHABLE');
    await submitJobs(db, 1);
    const more = await other.acquire(1, { waitSeconds: 60 });
    expect(more).toHaveLength(1);
    expect(await workerState(other)).toBe('READY');
  });

  it('drains when it comes back, if it was to drain', async () => {
    const { worker, grants } = await running(short);
    await passAndScan(31);
    await fleet.services.workers.drain(admin, { workerId: worker.id, reason: 'upgrade' });
    expect((await worker.heartbeat(grants)).commands).toEqual([{ kind: 'DRAIN', reason: 'upgrade' }]);
  });

  it('is not brought back by another principal', async () => {
    const { worker, id, grants } = await running(short);
    await passAndScan(31);
    const jobs = grants.map(({ jobId, fence }) => ({ id: jobId, fence }));
    await expect(
      fleet.services.workers.heartbeat(admin, { workerId: worker.id, jobs }),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await workerState(worker)).toBe('UNREACHABLE');
    expect((await stored(id)).state).toBe('RUNNING');
  });
});

describe('a job that its worker no longer has when it returns', () => {
  it('goes to another worker at once; new jobs of the worker stay', async () => {
    const { worker, id } = await running(short);
    await passAndScan(31);
    const [fresh = ''] = await submitJobs(db, 1);
    const more = await worker.acquire(1, { waitSeconds: 60 });
    expect(more.map(({ jobId }) => jobId)).toEqual([fresh]);
    await worker.start(more);
    expect(await worker.heartbeat([])).toMatchObject({ commands: [], userErrors: [] });
    expect(await stored(id)).toMatchObject({
      state: 'ACTIVATED',
      attempts: [{ error: { code: 'LEASE_LOST' } }],
    });
    expect((await stored(fresh)).state).toBe('RUNNING');
    await worker.heartbeat([]);
    expect((await stored(fresh)).state).toBe('RUNNING');
  });

  it('goes to another worker at once, also if the leader has not noticed the end of the lease', async () => {
    const { worker, id } = await running({ continueSeconds: 0, reassignAfterSeconds: 0 });
    await pass(31);
    await new EndedLeasesRepository(collection(db, leasesCollection), timeOf(clock)).lose(
      clock.now(),
      new Pauses(),
    );
    expect(await worker.heartbeat([])).toMatchObject({ userErrors: [] });
    expect((await stored(id)).state).toBe('ACTIVATED');
    expect(await workerState(worker)).toBe('READY');
  });
});

describe('a job whose worker stays silent', () => {
  it('goes to another worker within 45 s if its payload stops with the lease', async () => {
    const { worker, id } = await running({ continueSeconds: 0, reassignAfterSeconds: 0 });
    await passAndScan(31);
    expect(await stored(id)).toMatchObject({
      state: 'ACTIVATED',
      attempts: [{ outcome: 'FAILED', error: { code: 'LEASE_LOST' } }],
    });
    expect((await stored(id)).attempts[0]?.unreachable).toBeUndefined();
    expect(await workerState(worker)).toBe('LOST');
  });

  it('is given away when its time is over, and its worker is lost when its payload must have ended', async () => {
    const { worker, id } = await running(short);
    await passAndScan(31);
    await passAndScan(98);
    expect((await stored(id)).state).toBe('RUNNING');
    await passAndScan(4);
    expect(await stored(id)).toMatchObject({
      state: 'ACTIVATED',
      attempts: [{ outcome: 'FAILED', unreachable: { state: 'RUNNING', queue: 'main' } }],
    });
    expect(await workerState(worker)).toBe('UNREACHABLE');
    await passAndScan(900);
    expect(await workerState(worker)).toBe('LOST');
    expect(await collection(db, leasesCollection).findOne({ _id: worker.id })).toBeNull();
  });

  it('stays with its worker if no attempt is left, and fails when its payload must have ended', async () => {
    const { worker, id, grants } = await running(short, { retry: { maxAttempts: 1 } });
    await passAndScan(31);
    await passAndScan(200);
    expect((await stored(id)).state).toBe('RUNNING');
    expect((await worker.heartbeat(grants)).commands).toEqual([]);
    await passAndScan(31);
    await passAndScan(1001);
    expect(await stored(id)).toMatchObject({ state: 'FAILED', error: { code: 'LEASE_LOST' } });
  });

  it('follows the bounds of its queue', async () => {
    fleet.queues[0] = aQueue({
      revision: 2,
      limits: { leaseSeconds: 30 },
      continuity: { maxContinueSeconds: 0 },
    });
    await fleet.services.cache.refresh();
    const { id, grants } = await running(short);
    expect(grants[0]?.continueSeconds).toBe(0);
    expect((await stored(id)).attempts[0]?.continuity).toEqual({
      continueSeconds: 0,
      reassignAfterSeconds: 0,
    });
    await passAndScan(31);
    expect((await stored(id)).state).toBe('ACTIVATED');
  });
});

describe('a worker that returns after its job was given away', () => {
  it('continues the job that nobody has, under a new fence, and no attempt is charged', async () => {
    const { worker, id, grants } = await running(short, { requirements: { cores: 3 } });
    await passAndScan(31);
    await passAndScan(102);
    const { commands } = await worker.heartbeat(grants);
    const held = adoptedBy(grants, commands);
    expect(held[0]?.fence).toBeGreaterThan((grants[0]?.fence ?? 0) + 1);
    const job = await stored(id);
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
    expect((await stored(id)).state).toBe('FINISHED');
  });

  it('gets the new fence again if the answer was lost', async () => {
    const { worker, grants } = await running(short);
    await passAndScan(31);
    await passAndScan(102);
    const first = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    const again = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    expect(again.map(({ fence }) => fence)).toEqual(first.map(({ fence }) => fence));
    expect((await worker.heartbeat(again)).commands).toEqual([]);
  });

  it('gets it as often as the answer was lost, also if it is unreachable between', async () => {
    const { worker, id, grants } = await running(short);
    for (let lost = 0; lost < 3; lost += 1) {
      await passAndScan(31);
      await passAndScan(102);
      expect((await stored(id)).state).toBe('ACTIVATED');
      adoptedBy(grants, (await worker.heartbeat(grants)).commands);
      await waitFor('the ledger', () => fleet.services.cache.ledger.get(id) !== undefined, {
        deadlineMs: 60_000,
      });
    }
    const held = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    expect((await worker.finish(held)).userErrors).toEqual([]);
  });

  it('replaces a grant that its worker has not begun; that worker drops it', async () => {
    const { worker, id, grants } = await running(short);
    await passAndScan(31);
    await passAndScan(102);
    const other = await TestWorker.register(fleet);
    const sent = await other.acquire(1, { waitSeconds: 60 });
    expect(sent).toMatchObject([{ jobId: id, attempt: 2 }]);
    const held = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    expect(held[0]?.fence).toBeGreaterThan(sent[0]?.fence ?? Infinity);
    expect(await stored(id)).toMatchObject({ state: 'RUNNING', attempt: 1, attempts: [{ number: 1 }] });
    expect((await stored(id)).attempts).toHaveLength(1);
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
      const { worker, id, grants } = await running(short);
      await passAndScan(31);
      await passAndScan(102);
      const other = await TestWorker.register(fleet);
      const sent = await other.acquire(1, { waitSeconds: 60 });
      await other.start(sent, phase);
      expect((await worker.heartbeat(grants)).commands).toMatchObject([{ kind: 'DROP', jobId: id }]);
      const [lost] = (await stored(id)).attempts;
      expect(lost?.lostSeconds).toBeGreaterThanOrEqual(132);
      expect(lost).not.toHaveProperty('unreachable');
      expect((await other.finish(sent)).userErrors).toEqual([]);
      expect(await stored(id)).toMatchObject({ state: 'FINISHED', attempt: 2 });
    },
  );

  it('drops the payload of a job that ended meanwhile', async () => {
    const { worker, id, grants } = await running(short);
    await passAndScan(31);
    await passAndScan(102);
    const other = await TestWorker.register(fleet);
    await other.finish(await other.acquire(1, { waitSeconds: 60 }));
    expect((await worker.heartbeat(grants)).commands).toMatchObject([{ kind: 'DROP', jobId: id }]);
    expect((await stored(id)).state).toBe('FINISHED');
  });

  it('kills the payload of a job that was cancelled while it was unreachable', async () => {
    const { worker, id, grants } = await running(short);
    await passAndScan(31);
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
    const { worker, id, grants } = await running(short, { retry: { backoffSeconds: 5000 } });
    await passAndScan(31);
    await passAndScan(102);
    expect((await stored(id)).state).toBe('PENDING');
    const held = adoptedBy(grants, (await worker.heartbeat(grants)).commands);
    const job = await stored(id);
    expect(job.state).toBe('RUNNING');
    expect(job).not.toHaveProperty('notBefore');
    expect(job.lookup.filter((key) => key.startsWith('b:'))).toEqual([]);
    expect((await worker.finish(held)).userErrors).toEqual([]);
  });

  it('gets one answer from two heartbeats at once, and one attempt counts', async () => {
    const { worker, id, grants } = await running(short);
    await passAndScan(31);
    await passAndScan(102);
    const beats = await Promise.all([worker.heartbeat(grants), worker.heartbeat(grants)]);
    const fences = beats.map(({ commands }) => adoptedBy(grants, commands)[0]?.fence);
    expect(new Set(fences).size).toBe(1);
    expect(await stored(id)).toMatchObject({ state: 'RUNNING', fence: fences[0], attempt: 1 });
    expect(
      (await stored(id)).transitions.filter(({ to, from }) => to === 'RUNNING' && from === 'ACTIVATED'),
    ).toHaveLength(1);
  });

  it('continues its job although the process that leads has changed meanwhile', async () => {
    const { worker, id, grants } = await running(short, {
      devices: [uuid],
      requirements: { gpu: gpuRequirement },
    });
    await passAndScan(31);
    await fleet.stop();
    fleet = await start();
    await leads(fleet);
    await passAndScan(102);
    expect((await stored(id)).state).toBe('ACTIVATED');
    await fleet.stop();
    fleet = await start();
    await leads(fleet);
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

const gpuRequirement = {
  count: 1,
  models: [],
  sassTargets: [],
  ptxTargets: [],
  nvlink: false,
  optional: false,
};

describe('devices of a job that was given away', () => {
  it('keeps them booked for every pilot of the host until its payload must have ended', async () => {
    const { id } = await running(short, { devices: [uuid], requirements: { gpu: gpuRequirement } });
    await passAndScan(31);
    await passAndScan(102);
    expect((await stored(id)).state).toBe('ACTIVATED');
    const neighbour = await TestWorker.register(fleet, { devices: [uuid] });
    expect(await neighbour.acquire(1, { freeDeviceIds: [uuid] })).toEqual([]);
    // Nothing else of the host is booked: a job without a device runs.
    const [plain = ''] = await submitJobs(db, 1);
    const grants = await neighbour.acquire(1, { waitSeconds: 60, freeDeviceIds: [uuid] });
    expect(grants.map(({ jobId }) => jobId)).toEqual([plain]);
    await neighbour.finish(grants);
    for (let left = 900; left > 0; left -= 25) {
      await passAndScan(Math.min(left, 25));
      await neighbour.heartbeat();
    }
    const late = await neighbour.acquire(1, { waitSeconds: 60, freeDeviceIds: [uuid] });
    expect(late.map(({ jobId }) => jobId)).toEqual([id]);
    await neighbour.finish(late);
  });

  it('releases them when the worker has returned and no longer lists the job', async () => {
    const { worker, id, grants } = await running(short, {
      devices: [uuid],
      requirements: { gpu: gpuRequirement },
    });
    await passAndScan(31);
    await passAndScan(102);
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

describe('a pilot that started again', () => {
  const register = (jobs: readonly Grant[], host = 'host-1', principal = pilotOf('main')) =>
    fleet.services.workers.register(principal, {
      queue: 'main',
      name: 'phoenix',
      host,
      version: '1.0',
      hardware: { architecture: 'x86_64', cores: 8, memoryMiB: 1_000_000, diskMiB: 1_000_000 },
      devices: [],
      jobs: jobs.map(({ jobId, fence }) => ({ id: jobId, fence })),
      idempotencyKey: 'started again',
    });

  /** A worker with two running jobs. */
  async function withTwo(): Promise<{ older: TestWorker; ids: string[]; grants: readonly Grant[] }> {
    const older = await TestWorker.register(fleet, { name: 'phoenix' });
    const ids = await submitJobs(db, 2, { requirements: { continuity: short } });
    const grants = await older.acquireInAll(2);
    await older.start(grants);
    return { older, ids, grants };
  }

  it('keeps the payloads that still run; the others go to other workers at once', async () => {
    const { older, grants } = await withTwo();
    const [kept, gone] = grants;
    if (!kept || !gone) throw new Error('no grants');
    const { worker, commands } = await register([kept]);
    const held = adoptedBy([kept], commands);
    expect(await stored(kept.jobId)).toMatchObject({
      state: 'RUNNING',
      attempt: 1,
      workerId: worker?._id,
      attempts: [{ number: 1, workerId: worker?._id, fence: held[0]?.fence, earlierFence: kept.fence }],
    });
    await fleet.leaseWatch.scan();
    expect(await workerState(older)).toBe('LOST');
    expect(await stored(gone.jobId)).toMatchObject({ state: 'ACTIVATED', attempt: 1 });
    const jobs = held.map(({ jobId, fence }) => ({ id: jobId, fence }));
    expect(
      (await fleet.services.reports.finish(pilotOf('main'), worker?._id ?? '', jobs)).userErrors,
    ).toEqual([]);
  });

  it('keeps them after the lease of the earlier worker has ended and its jobs were given away', async () => {
    const { grants } = await withTwo();
    await passAndScan(31);
    await passAndScan(102);
    const { worker, commands } = await register(grants);
    expect(adoptedBy(grants, commands)).toHaveLength(2);
    for (const { jobId } of grants)
      expect(await stored(jobId)).toMatchObject({ state: 'RUNNING', workerId: worker?._id });
  });

  it.each([
    ['on another host', 'host-2', pilotOf('main')],
    ['as another principal', 'host-1', admin],
  ])('gets nothing %s', async (_what, host, principal) => {
    const { grants } = await withTwo();
    await passAndScan(31);
    const { commands } = await register(grants, host, principal);
    expect(commands.map(({ kind }) => kind)).toEqual(['DROP', 'DROP']);
    for (const { jobId } of grants) expect((await stored(jobId)).state).toBe('RUNNING');
  });
});

describe('Job.pending', () => {
  it('explains lost contact', async () => {
    const { worker, id } = await running(short);
    expect(await fleet.services.scheduler.pending(await stored(id))).toBeNull();
    await passAndScan(31);
    const lostAt = (await collection(db, leasesCollection).findOne({ _id: worker.id }))?.lostAt;
    const reassignAt = new Date((lostAt?.getTime() ?? 0) + 100_000).toISOString();
    const facts = await fleet.services.scheduler.pending(await stored(id));
    expect(facts?.summary).toContain(`Worker ${worker.id} is unreachable since ${lostAt?.toISOString()}`);
    expect(facts?.summary).toContain(`another worker gets the job at ${reassignAt}`);
    await passAndScan(102);
    const waiting = await fleet.services.scheduler.pending(await stored(id));
    expect(waiting?.summary).toContain('continues the job if it returns before another worker has begun it');
  });
});
