import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type TestDatabase, waitFor } from '@rhizome/testkit';
import type { Grant } from '../../src/scheduler/scheduler.types.js';
import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs } from '../support/fleet-jobs.fixture.js';
import { admin, TestWorker } from '../support/test-worker.fixture.js';
import { Gate } from '../support/gate.fixture.js';
import { over } from '../support/paused-change-stream.fixture.js';

const limit = { deadlineMs: 60_000 };
const gates = { writes: new Gate(), readyJobs: new Gate(), workers: new Gate() };
let db: TestDatabase;
let fleet: TestFleet;

beforeEach(async () => {
  db = await fleetDatabase();
  fleet = await startFleet(withGates(db), {
    transitions: (store) => ({
      read: (ids) => store.read(ids),
      write: async (group) => {
        await gates.writes.pass();
        return store.write(group);
      },
    }),
  });
  await waitFor('the leader', () => fleet.services.scheduler.isReady, limit);
});

afterEach(async () => {
  for (const gate of Object.values(gates)) gate.open();
  await fleet.stop();
});

/** The same database; reads of ready jobs and of workers pass their gates. */
function withGates(plain: TestDatabase): TestDatabase {
  const collection = (...named: Parameters<TestDatabase['collection']>) => {
    const real = plain.collection(...named);
    const find = (...call: Parameters<typeof real.find>) => {
      const cursor = real.find(...call);
      if (named[0] === 'workers') return gated(cursor, gates.workers);
      return named[0] === 'jobs' && call[0]['state'] === 'ACTIVATED'
        ? gated(cursor, gates.readyJobs)
        : cursor;
    };
    return over(real, { find });
  };
  return over(plain, { collection });
}

/** A cursor whose `toArray` passes a gate. */
function gated<T extends { toArray(): Promise<unknown> }>(cursor: T, gate: Gate): T {
  const held: T = new Proxy(cursor, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name === 'toArray') return () => gate.pass().then(() => target.toArray());
      return (...args: unknown[]): unknown => {
        const result: unknown = value.apply(target, args);
        return result === target ? held : result;
      };
    },
  });
  return held;
}

/**
 * Asks until a call is held at a gate; what that call was answered. Before the job is known, a call that does
 * not wait ends at once.
 */
async function askUntilHeld(gate: Gate, worker: TestWorker, waitSeconds: number): Promise<readonly Grant[]> {
  for (;;) {
    const grants = await waitFor('the answer', worker.acquire(1, { waitSeconds }), limit);
    if (gate.waiting > 0 || grants.length > 0) return grants;
  }
}

describe('acquireJobs', () => {
  it.each([0, 1])(
    'answers with nothing while its grants are being written, and gives them to the next call (waitSeconds %d)',
    async (waitSeconds) => {
      const worker = await TestWorker.register(fleet);
      gates.writes.close();
      const [id = ''] = await submitJobs(db, 1);
      expect(await askUntilHeld(gates.writes, worker, waitSeconds)).toEqual([]);
      gates.writes.open();
      const grants = await worker.acquire(1, { waitSeconds: 60 });
      expect(grants).toMatchObject([{ jobId: id, attempt: 1 }]);
      await worker.finish(grants);
      expect((await storedJobs(db, [id]))[0]).toMatchObject({ state: 'FINISHED', attempt: 1 });
    },
  );

  it('keeps a late grant from a call that has no capacity for it', async () => {
    const worker = await TestWorker.register(fleet);
    gates.writes.close();
    const [id = ''] = await submitJobs(db, 1, { requirements: { cores: 4 } });
    expect(await askUntilHeld(gates.writes, worker, 1)).toEqual([]);
    gates.writes.open();
    await waitFor('the grant', async () => (await storedJobs(db, [id]))[0]?.state === 'SENT', limit);
    const free = { cores: 3, memoryMiB: 1_000_000, diskMiB: 1_000_000 };
    expect(await worker.acquire(1, { free })).toEqual([]);
    expect(await worker.acquire(1, { waitSeconds: 60 })).toMatchObject([{ jobId: id, attempt: 1 }]);
  });

  it('grants a late grant whose job was cancelled to no worker', async () => {
    const worker = await TestWorker.register(fleet);
    gates.writes.close();
    const [id = ''] = await submitJobs(db, 1);
    expect(await askUntilHeld(gates.writes, worker, 1)).toEqual([]);
    gates.writes.open();
    await waitFor('the grant', async () => (await storedJobs(db, [id]))[0]?.state === 'SENT', limit);
    const cancel = {
      jobId: id,
      from: 'SENT',
      to: 'CANCELLED',
      by: 'principal',
      actor: 'ada@example',
    } as const;
    expect(await fleet.writer.apply([cancel])).toMatchObject([{ applied: true }]);
    const [next = ''] = await submitJobs(db, 1);
    expect(await worker.acquire(1, { waitSeconds: 60 })).toMatchObject([{ jobId: next }]);
  });

  it.each([0, 1])(
    'answers with nothing while a pass reads ready jobs (waitSeconds %d)',
    async (waitSeconds) => {
      const worker = await TestWorker.register(fleet);
      gates.readyJobs.close();
      const [id = ''] = await submitJobs(db, 1, { requirements: { cores: 2 } });
      expect(await askUntilHeld(gates.readyJobs, worker, waitSeconds)).toEqual([]);
      expect(gates.readyJobs.waiting).toBeGreaterThan(0);
      gates.readyJobs.open();
      expect(await worker.acquire(1, { waitSeconds: 60 })).toMatchObject([{ jobId: id }]);
    },
  );

  it.each([0, 1])(
    'answers with nothing while its worker is looked up (waitSeconds %d)',
    async (waitSeconds) => {
      const unknown = `worker_${'0'.repeat(26)}`;
      gates.workers.close();
      const asked = fleet.services.acquire.acquire(
        { workerId: unknown, free: { cores: 1, memoryMiB: 1, diskMiB: 1 }, waitSeconds },
        { principal: admin, requestId: 'test', isForwarded: false },
      );
      expect(await waitFor('the answer', asked, limit)).toEqual({ assignments: [], userErrors: [] });
      expect(gates.workers.waiting).toBeGreaterThan(0);
    },
  );
});
