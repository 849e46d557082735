import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createPrincipal } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { leftovers, manualClock, type TestDatabase, waitFor } from '@rhizome/testkit';
import { BrokerLeaseRepository, fenceStep } from '../../src/scheduler/leader/broker-lease.repository.js';
import { BrokerLeadership } from '../../src/scheduler/leader/leadership.js';
import { serverTime, timeOf } from '../../src/shared/store-time.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs } from '../support/fleet-jobs.fixture.js';
import { TestWorker } from '../support/test-worker.fixture.js';
import { brokerLeaseCollection } from '../../src/workers/worker.document.js';

let db: TestDatabase;

beforeEach(async () => {
  db = await fleetDatabase();
});

const leads = (fleet: TestFleet) =>
  waitFor('a process leads', () => fleet.services.scheduler.isReady, { deadlineMs: 60_000 });

describe('two processes of core', () => {
  it('elects one leader; the other one takes over, knows the granted jobs, and grants nothing twice', async () => {
    const first = await startFleet(db, { url: 'http://first.test/graphql' });
    await leads(first);
    const second = await startFleet(db, { url: 'http://second.test/graphql' });
    expect(second.services.scheduler.isLeading).toBe(false);
    expect(second.leadership.leaderUrl()).toBe('http://first.test/graphql');
    const worker = await TestWorker.register(first, { cores: 4, devices: ['GPU-1'] });
    const gpu = { count: 1, models: [], sassTargets: [], ptxTargets: [], nvlink: false, optional: false };
    await submitJobs(db, 1, { requirements: { gpu }, priority: 5 });
    await submitJobs(db, 10);
    const held = await worker.acquireInAll(3, { freeDeviceIds: ['GPU-1'] });
    expect(held).toHaveLength(3);
    // The leader crashes: it neither renews its lease nor releases it.
    await killed(first);
    await leads(second);
    await submitJobs(db, 1, { requirements: { gpu }, priority: 5 });
    const grants = await worker.at(second).acquire(8, { waitSeconds: 60, freeDeviceIds: ['GPU-1'] });
    // One core is left, and no device: the new leader has read what the old one granted.
    expect(grants).toHaveLength(1);
    expect(grants.flatMap(({ deviceIds }) => deviceIds)).toEqual([]);
    const fences = [...held, ...grants].map(({ fence }) => fence);
    expect(new Set(fences).size).toBe(fences.length);
    expect(Math.min(...grants.map(({ fence }) => fence))).toBeGreaterThan(
      Math.max(...held.map(({ fence }) => fence)),
    );
    // Reports about grants of the old leader are valid under the new one.
    expect((await worker.at(second).finish(held)).acceptedIds).toHaveLength(3);
    expect(second.services.cache.ledger.workerUse(worker.id).jobs).toBe(1);
  });

  it('releases a call that was forwarded to a hanging leader as soon as another one leads, and then grants', async () => {
    let taken = 0;
    // It accepts calls and never answers, like a process that is stopped or cut off.
    const server = createServer(() => (taken += 1));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    leftovers.defer('a leader that hangs', async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    const { port } = server.address() as AddressInfo;
    const hanging = await startFleet(db, { url: `http://127.0.0.1:${port}/graphql` });
    await leads(hanging);
    const second = await startFleet(db, { url: 'http://second.test/graphql' });
    const worker = await TestWorker.register(second);
    await submitJobs(db, 1);
    const principal = createPrincipal({
      kind: 'PILOT',
      subject: 'pilot:main',
      grants: [{ experiment: '*', roles: ['PILOT'] }],
      expiresAt: new Date('2099-01-01T00:00:00Z'),
      token: 'a token',
    });
    const spec = {
      workerId: worker.id,
      count: 1,
      free: { cores: 8, memoryMiB: 1000, diskMiB: 1000 },
      waitSeconds: 60,
    };
    const call = second.services.acquire.acquire(spec, { principal, requestId: 'test', isForwarded: false });
    // A call that is not released answers with no work at the end of its waiting time.
    const release = expect(call).rejects.toMatchObject({ code: 'LEADER_UNAVAILABLE' });
    await waitFor('the call is forwarded', () => taken === 1, { deadlineMs: 60_000 });
    await killed(hanging);
    await release;
    await leads(second);
    expect(await worker.acquire(1, { waitSeconds: 60 })).toHaveLength(1);
    expect(taken).toBe(1);
  });

  it('reads the jobs again after events that it could not process', async () => {
    const first = await startFleet(db, { url: 'http://first.test/graphql' });
    await leads(first);
    const second = await startFleet(db, { url: 'http://second.test/graphql' });
    const worker = await TestWorker.register(first, { cores: 4 });
    await submitJobs(db, 1);
    const { cache } = second.services;
    const applyEvents = cache.applyEvents.bind(cache);
    let failed = 0;
    jest.spyOn(cache, 'applyEvents').mockImplementation(async (events) => {
      if (failed === 0 && events.some(({ last }) => last.to === 'SENT')) {
        failed += 1;
        throw new Error('the store is away');
      }
      return applyEvents(events);
    });
    const [grant] = await worker.acquireInAll(1);
    await waitFor('the grant to be known', () => cache.ledger.jobsOf(worker.id).has(String(grant?.jobId)), {
      deadlineMs: 60_000,
    });
    expect(failed).toBe(1);
  });

  it('refuses calls at a leader that was replaced without knowing, and writes nothing', async () => {
    const first = await startFleet(db, { brokerRenewMs: 3_600_000, brokerTtlMs: 3_600_000 });
    await leads(first);
    const worker = await TestWorker.register(first);
    const ids = await submitJobs(db, 3);
    // Another process takes the lease as if it had ended: the first process still counts on it.
    await endLease();
    const taken = await new BrokerLeaseRepository(
      collection(db, brokerLeaseCollection),
      serverTime,
      5000,
    ).acquire('other', undefined);
    expect(taken?.epoch).toBe(2);
    expect(first.services.scheduler.isLeading).toBe(true);
    await expect(worker.acquire(3, { waitSeconds: 60 })).rejects.toMatchObject({ code: 'EPOCH_STALE' });
    expect(first.services.scheduler.isLeading).toBe(false);
    for (const job of await storedJobs(db, ids))
      expect(job).toMatchObject({ state: 'ACTIVATED', attempt: 0, fence: 0, revision: 1 });
    expect(first.services.cache.ledger.size).toBe(0);
    await expect(worker.acquire(3)).rejects.toMatchObject({ code: 'LEADER_UNAVAILABLE' });
  });

  it('revokes a grant of a former leader that reaches the store late', async () => {
    const fleet = await startFleet(db);
    await leads(fleet);
    const worker = await TestWorker.register(fleet);
    const [id = ''] = await submitJobs(db, 1);
    // As a write of the leader before would do, had it been under way all the time.
    const jobs = collection(db, jobsCollection);
    const grant = {
      workerId: worker.id,
      queueId: 'queue_1',
      queue: 'main',
      fence: 1,
      attemptId: 'attempt_late',
      deviceIds: [],
    };
    const [outcome] = await fleet.writer.apply([
      { jobId: id, from: 'ACTIVATED', to: 'SENT', by: 'broker', actor: 'system:broker', change: { grant } },
    ]);
    expect(outcome?.applied).toBe(true);
    const back = await waitFor(
      'the job is back',
      async () => jobs.findOne({ _id: id, state: 'ACTIVATED', attempt: 1 }),
      { deadlineMs: 60_000 },
    );
    expect(back?.attempts[0]).toMatchObject({ outcome: 'FAILED', error: { code: 'GRANT_LOST' } });
    const [next] = await worker.acquire(1, { waitSeconds: 60 });
    expect(next).toMatchObject({ jobId: id, attempt: 2 });
  });
});

describe('the lease of the broker', () => {
  const leadershipOf = (holder: string, ttlMs = 5000, clock = systemClock, time = serverTime) =>
    new BrokerLeadership({
      leases: new BrokerLeaseRepository(collection(db, brokerLeaseCollection), time, ttlMs),
      clock,
      log: silentLogger(),
      holder,
      ttlMs,
      renewMs: 3_600_000,
    });

  it('is taken by one of many that try at once, and its epoch grows with each leader', async () => {
    const all = Array.from({ length: 5 }, (_, i) => leadershipOf(`core_${i}`));
    await Promise.all(all.map((one) => one.start()));
    const [leader, ...rest] = all.filter((one) => one.isLeader());
    expect(rest).toEqual([]);
    expect(leader?.epoch).toBe(1);
    await leader?.stop();
    const [next] = all.filter((one) => one !== leader);
    await next?.step();
    expect(next?.epoch).toBe(2);
    await Promise.all(all.map((one) => one.stop()));
  });

  it('ends in a process that cannot renew it before the store gives it to another', async () => {
    const clock = manualClock();
    const time = timeOf(clock);
    const [a, b] = [leadershipOf('core_a', 5000, clock, time), leadershipOf('core_b', 5000, clock, time)];
    await a.start();
    await b.start();
    const lost: string[] = [];
    a.onLost(() => lost.push('a'));
    for (let ms = 0; ms < 5000; ms += 100) {
      // `a` is cut off, and `b` tries all the time. They never lead at the same time.
      clock.advance(100);
      await b.step();
      expect(Number(a.isLeader()) + Number(b.isLeader())).toBeLessThanOrEqual(1);
    }
    expect(b.isLeader()).toBe(true);
    expect(a.isLeader()).toBe(false);
    await a.step();
    expect(lost).toEqual(['a']);
    await Promise.all([a.stop(), b.stop()]);
  });

  it('allocates growing fences once, and proves the term', async () => {
    const a = leadershipOf('core_a');
    await a.start();
    const firsts = await Promise.all(Array.from({ length: 10 }, () => a.allocateFences(3)));
    const all = firsts.flatMap((first) => [0, 1, 2].map((i) => first + i * fenceStep)).sort((x, y) => x - y);
    expect(new Set(all).size).toBe(30);
    expect(all[0]).toBe(fenceStep);
    expect(all[29]).toBe(30 * fenceStep);
    await collection(db, brokerLeaseCollection).updateOne({ _id: 'broker' }, { $inc: { epoch: 1 } });
    await expect(a.allocateFences(1)).rejects.toMatchObject({ code: 'EPOCH_STALE' });
    await expect(a.allocateFences(1)).rejects.toMatchObject({ code: 'LEADER_UNAVAILABLE' });
    await a.stop();
  });

  it('aborts the signal of a term at its end, and gives a new term a new one', async () => {
    const a = leadershipOf('core_a');
    const terms: AbortSignal[] = [];
    a.onGained((signal) => terms.push(signal));
    await a.start();
    await collection(db, brokerLeaseCollection).updateOne(
      { _id: 'broker' },
      { $set: { epoch: 7, expiresAt: new Date(0) } },
    );
    await a.step();
    expect(terms.map(({ aborted }) => aborted)).toEqual([true]);
    await a.step();
    expect(terms.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(a.epoch).toBe(8);
    await a.stop();
  });
});

/** Stops all renewals of a process, as if it had been killed, and ends its lease. */
async function killed(fleet: TestFleet): Promise<void> {
  fleet.leadership.suspend();
  // Waits for a renewal that is under way.
  await fleet.leadership.step();
  await endLease();
}

async function endLease(): Promise<void> {
  await collection(db, brokerLeaseCollection).updateOne(
    { _id: 'broker' },
    { $set: { expiresAt: new Date(0) } },
  );
}
