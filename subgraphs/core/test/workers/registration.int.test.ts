import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { collection } from '@rhizome/mongo';
import { type ManualClock, manualClock, type TestDatabase, waitFor } from '@rhizome/testkit';
import { leasesCollection, workersCollection } from '../../src/workers/worker.document.js';
import { fleetDatabase } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs } from '../support/fleet-jobs.fixture.js';
import { admin, pilotOf, TestWorker } from '../support/test-worker.fixture.js';
import { type ManualFleet, startManualFleet } from '../support/manual-fleet.fixture.js';

let db: TestDatabase;
let fleet: ManualFleet;
let clock: ManualClock;

beforeEach(async () => {
  db = await fleetDatabase();
  clock = manualClock();
  fleet = await startManualFleet(db, clock);
});

afterEach(() => fleet.stop());

describe('registerWorker', () => {
  it('returns the same worker for the same key, and refuses other content', async () => {
    const first = await TestWorker.register(fleet, { name: 'agent', key: 'key-1' });
    const again = await TestWorker.register(fleet, { name: 'agent', key: 'key-1' });
    expect(again.id).toBe(first.id);
    await expect(TestWorker.register(fleet, { name: 'agent', key: 'key-1', cores: 9 })).rejects.toThrow(
      /IDEMPOTENCY_KEY_REUSED/,
    );
  });

  it('returns the longest notice of the queue, 300 s by default', async () => {
    const register = async (queue: string) => {
      const hardware = { architecture: 'x86_64', cores: 1, memoryMiB: 100, diskMiB: 100 };
      const input = { queue, name: 'noticed', host: 'host-9', version: '1', hardware, devices: [] };
      const idempotencyKey = `noticed-${queue}`;
      return fleet.services.workers.register(pilotOf(queue), { ...input, idempotencyKey });
    };
    expect(await register('main')).toMatchObject({ maxNoticeSeconds: 300, userErrors: [] });
    expect(await register('patient')).toMatchObject({ maxNoticeSeconds: 3600, userErrors: [] });
    expect(await register('nowhere')).toMatchObject({ maxNoticeSeconds: null, worker: null });
  });

  it('replaces the worker of a pilot that restarts on its host at once, and returns its jobs', async () => {
    const older = await TestWorker.register(fleet, { name: 'twin' });
    const [id = ''] = await submitJobs(db, 1, { retry: { maxAttempts: 1 } });
    const grants = await older.acquire(1, { waitSeconds: 60 });
    await older.start(grants);
    const younger = await TestWorker.register(fleet, { name: 'twin' });
    expect(await fleet.workerState(older)).toBe('LOST');
    expect((await older.heartbeat(grants)).userErrors).toEqual([
      expect.objectContaining({
        code: 'WORKER_LOST',
        message: `Worker "${older.id}" was lost: its pilot started again on the same host; register again, with the jobs whose payloads still run.`,
      }),
    ]);
    await fleet.leaseWatch.scan();
    expect((await storedJobs(db, [id]))[0]).toMatchObject({
      state: 'ACTIVATED',
      attempt: 1,
      attempts: [
        {
          error: {
            code: 'PILOT_RESTARTED',
            message: `Worker ${older.id} was lost: its pilot started again on the same host.`,
          },
        },
      ],
    });
    await younger.finish(await younger.acquire(1, { waitSeconds: 60 }));
    expect((await storedJobs(db, [id]))[0]).toMatchObject({
      state: 'FINISHED',
      attempt: 2,
      workerId: younger.id,
    });
  });

  it('refuses the name of a live worker on another host until the lease of that worker ends', async () => {
    const older = await TestWorker.register(fleet, { name: 'moved', host: 'host-1' });
    await expect(TestWorker.register(fleet, { name: 'moved', host: 'host-2' })).rejects.toMatchObject({
      code: 'CONFLICT',
      message:
        'name: "moved" is the name of a live worker on host "host-1"; must be another name, or wait until that worker ends',
    });
    expect(await fleet.workerState(older)).toBe('READY');
    expect((await older.heartbeat()).userErrors).toEqual([]);
    await fleet.pass(31);
    // Only the leader ends leases: its clock may stand still.
    await expect(TestWorker.register(fleet, { name: 'moved', host: 'host-2' })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await fleet.leaseWatch.scan();
    const younger = await TestWorker.register(fleet, { name: 'moved', host: 'host-2' });
    await fleet.leaseWatch.scan();
    expect(await fleet.workerState(older)).toBe('LOST');
    expect(await fleet.workerState(younger)).toBe('READY');
    expect((await older.heartbeat()).userErrors).toEqual([
      expect.objectContaining({
        code: 'WORKER_LOST',
        message: expect.stringContaining('it sent no heartbeat until its lease ended'),
      }),
    ]);
  });

  it('gives a name to one of many hosts that register it at once, and a conflict to the others', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 24 }, (_, at) =>
        TestWorker.register(fleet, { name: 'fought', host: `host-${at}` }),
      ),
    );
    const refused = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [(outcome.reason as { code?: string }).code] : [],
    );
    expect(refused).toEqual(Array.from({ length: 23 }, () => 'CONFLICT'));
    const [won] = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.id] : []));
    const live = await collection(db, workersCollection).find({ name: 'fought', state: 'READY' }).toArray();
    expect(live.map(({ _id }) => _id)).toEqual([won]);
  });

  it('leaves one worker of many that register one name on one host at once; the others may get a conflict', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 24 }, () => TestWorker.register(fleet, { name: 'many' })),
    );
    const found = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'CONFLICT' });
    const live = await collection(db, workersCollection).find({ name: 'many', state: 'READY' }).toArray();
    expect(live).toHaveLength(1);
    expect(found.map(({ id }) => id)).toContain(live[0]?._id);
    const leases = await collection(db, leasesCollection)
      .find({ _id: { $in: found.map(({ id }) => id) }, lostAt: { $exists: false } })
      .toArray();
    expect(leases.map(({ _id }) => _id)).toEqual([live[0]?._id]);
  });

  it('reports everything that is wrong with the input, and writes nothing', async () => {
    const before = await collection(db, workersCollection).countDocuments();
    const result = await fleet.services.workers.register(admin, {
      queue: 'nowhere',
      host: '',
      name: 'a'.repeat(256),
      version: '1',
      hardware: { architecture: 'x86_64', cores: 0, memoryMiB: 1, diskMiB: -1 },
      devices: [
        { id: 'GPU-1', vendor: 'ACME', model: 'X', computeCapability: 'nine' },
        { id: 'GPU-1', vendor: 'NVIDIA', model: 'X' },
      ],
      labels: [{ key: 'bad key', value: 'x' }],
      endsAt: new Date(clock.now().getTime() - 1),
      idempotencyKey: 'key-bad',
    });
    expect(result.worker).toBeNull();
    expect(result.userErrors.map(({ path }) => path.join('.')).sort()).toEqual([
      'devices.0.computeCapability',
      'devices.0.vendor',
      'devices.1.id',
      'endsAt',
      'hardware.cores',
      'hardware.diskMiB',
      'host',
      'labels.0.key',
      'name',
      'queue',
    ]);
    expect(result.userErrors.find(({ path }) => path[0] === 'queue')?.code).toBe('QUEUE_NOT_FOUND');
    expect(await collection(db, workersCollection).countDocuments()).toBe(before);
  });

  it('accepts a pilot in its own queue only', async () => {
    const spec = {
      queue: 'main',
      host: 'h',
      name: 'n',
      version: '1',
      hardware: { architecture: 'x86_64', cores: 1, memoryMiB: 1, diskMiB: 1 },
      idempotencyKey: 'k',
    };
    await expect(fleet.services.workers.register(pilotOf('elsewhere'), spec)).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
  });
});

describe('heartbeat and drainWorker', () => {
  it('replaces the known facts by those of a heartbeat, and matches them at once', async () => {
    const worker = await TestWorker.register(fleet, { cores: 2 });
    await submitJobs(db, 1, { requirements: { cores: 4 } });
    expect(await new TestBig(worker).acquire()).toEqual([]);
    await fleet.services.workers.heartbeat(pilotOf('main'), {
      workerId: worker.id,
      jobs: [],
      hardware: { architecture: 'x86_64', cores: 4, memoryMiB: 1_000_000, diskMiB: 1_000_000 },
    });
    // The event of the job may still be under way.
    const grants = await new TestBig(worker).acquire(60);
    expect(grants).toHaveLength(1);
    await worker.finish(grants);
  });

  it('grants nothing to a draining worker, notifies it, and ends it in order', async () => {
    const worker = await TestWorker.register(fleet);
    const commands = await fleet.services.workers.commands(pilotOf('main'), worker.id);
    await commands.next();
    const drained = await fleet.services.workers.drain(admin, { workerId: worker.id, reason: 'upgrade' });
    expect(drained.worker?.state).toBe('DRAINING');
    expect((await waitFor('the order', commands, { deadlineMs: 60_000 })).commands).toEqual([
      { kind: 'DRAIN', reason: 'upgrade' },
    ]);
    await commands.return?.();
    expect((await worker.heartbeat()).commands).toEqual([{ kind: 'DRAIN', reason: 'upgrade' }]);
    await submitJobs(db, 1);
    expect(await worker.acquire(1)).toEqual([]);
    const ended = await fleet.services.workers.drain(pilotOf('main'), {
      workerId: worker.id,
      hasEnded: true,
    });
    expect(ended.worker?.state).toBe('ENDED');
    expect(
      (await fleet.services.workers.drain(pilotOf('main'), { workerId: worker.id, hasEnded: true })).worker
        ?.state,
    ).toBe('ENDED');
    expect((await worker.heartbeat()).userErrors).toEqual([
      expect.objectContaining({ code: 'WORKER_NOT_FOUND' }),
    ]);
    const next = await TestWorker.register(fleet);
    await next.finish(await next.acquire(1, { waitSeconds: 60 }));
  });

  it('returns the job of a worker that ends while it holds one', async () => {
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1, { retry: { maxAttempts: 1 } });
    await worker.start(await worker.acquire(1, { waitSeconds: 60 }));
    await fleet.services.workers.drain(pilotOf('main'), {
      workerId: worker.id,
      reason: 'its time is over',
      hasEnded: true,
    });
    await fleet.leaseWatch.scan();
    expect((await storedJobs(db, [id]))[0]).toMatchObject({
      state: 'ACTIVATED',
      attempt: 1,
      attempts: [
        {
          error: {
            family: 'WORKER',
            code: 'WORKER_ENDED',
            message: `Worker ${worker.id} ended and returned the job: its time is over.`,
            retryable: true,
          },
        },
      ],
    });
    expect(await fleet.workerState(worker)).toBe('ENDED');
    const next = await TestWorker.register(fleet);
    await next.finish(await next.acquire(1, { waitSeconds: 60 }));
  });
});

/** Asks for more cores than its worker was registered with. */
class TestBig {
  readonly #worker: TestWorker;
  constructor(worker: TestWorker) {
    this.#worker = worker;
  }

  async acquire(waitSeconds = 0) {
    const free = { cores: 64, memoryMiB: 1_000_000, diskMiB: 1_000_000 };
    const { assignments } = await this.#worker.fleet.services.acquire.acquire(
      { workerId: this.#worker.id, count: 1, free, waitSeconds },
      { principal: pilotOf('main'), requestId: 'test', isForwarded: false },
    );
    return assignments;
  }
}
