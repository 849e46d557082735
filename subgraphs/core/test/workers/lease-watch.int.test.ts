// The lease watch on a real store, with follow-ups that the tests hold back.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { collection } from '@rhizome/mongo';
import { type TestDatabase, waitFor } from '@rhizome/testkit';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { GroupingTransitionWriter } from '../../src/jobs/transitions/transition-writer.js';
import { transitionStore } from '../../src/jobs/transitions/transitions.repository.js';
import { Ledger } from '../../src/scheduler/cache/ledger.js';
import { SchedulerJobsRepository } from '../../src/scheduler/cache/scheduler-jobs.repository.js';
import { RequeueGrants } from '../../src/scheduler/dispatch/requeue-grants.js';
import type { LeaseCheck } from '../../src/workers/lease-clock/lease-clock.js';
import { LeaseWatch } from '../../src/workers/leases/lease-watch.js';
import { LeasesRepository } from '../../src/workers/leases/leases.repository.js';
import { UnreachableLeasesRepository } from '../../src/workers/leases/unreachable-leases.repository.js';
import { leasesCollection, workersCollection } from '../../src/workers/worker.document.js';
import type { LeaseDocument } from '../../src/workers/worker.types.js';
import { noObserver } from '../../src/shared/work-observer.js';
import { WorkerRegistry } from '../../src/workers/worker-registry.js';
import { WorkersRepository } from '../../src/workers/workers.repository.js';
import { failurePolicies, fleetDatabase } from '../support/fleet.fixture.js';
import { Gate } from '../support/gate.fixture.js';

let db: TestDatabase;
let gate: Gate;
let watch: LeaseWatch;
let checks: number;
let found: LeaseCheck;
/** Number of times at which booked devices were read. */
let reads: number;

/** Follow-ups wait at the gate. */
class SlowLeases extends UnreachableLeasesRepository {
  override async end(lease: Pick<LeaseDocument, '_id' | 'lostAt'>): Promise<boolean> {
    await gate.pass();
    return super.end(lease);
  }

  override retained() {
    reads += 1;
    return super.retained();
  }
}

beforeEach(async () => {
  db = await fleetDatabase();
  gate = new Gate();
  checks = 0;
  reads = 0;
  found = { lost: 0, hasDue: true, hasRetained: true };
  const now = () => '$$NOW' as const;
  const log = silentLogger();
  const clock = systemClock;
  const jobs = collection(db, jobsCollection);
  const workers = new WorkersRepository(collection(db, workersCollection), now);
  const writer = new GroupingTransitionWriter({ store: transitionStore(jobs), clock, log });
  watch = new LeaseWatch({
    observer: noObserver,
    leases: new LeasesRepository(collection(db, leasesCollection), now),
    leaseClock: {
      start: () => undefined,
      stop: () => undefined,
      loseEnded: async () => {
        checks += 1;
        return found;
      },
    },
    unreachable: new SlowLeases(collection(db, leasesCollection), now),
    workers,
    registry: new WorkerRegistry(workers, log),
    isLeading: () => true,
    ledger: new Ledger(),
    readHeld: async () => undefined,
    requeueGrants: new RequeueGrants({
      jobs: new SchedulerJobsRepository(jobs),
      writer,
      policies: failurePolicies(db, clock),
      log,
    }),
    clock,
    log,
    scanMs: 10,
  });
});

afterEach(async () => {
  gate.open();
  await watch.stop();
});

/** Stores leases that have ended and are due. */
async function lose(count: number): Promise<void> {
  const leases = new LeasesRepository(collection(db, leasesCollection), () => '$$NOW');
  for (let at = 0; at < count; at += 1) await leases.open(`worker_${at}`, 'queue_1', 30);
  const at = new Date(Date.now() - 60_000);
  await collection(db, leasesCollection).updateMany({}, { $set: { lostAt: at, dueAt: at } });
}

describe('LeaseWatch', () => {
  it('does not ask the store for what the check of the lease clock has not found', async () => {
    await lose(1);
    found = { lost: 0, hasDue: false, hasRetained: false };
    await watch.scan();
    expect([await collection(db, leasesCollection).countDocuments(), reads]).toEqual([1, 0]);
    found = { lost: 0, hasDue: true, hasRetained: true };
    await watch.scan();
    expect([await collection(db, leasesCollection).countDocuments(), reads]).toEqual([0, 1]);
  });

  it('follows up at most 16 leases at once, and checks the lease clock meanwhile', async () => {
    await lose(20);
    gate.close();
    watch.start();
    await waitFor('follow-ups', () => gate.waiting === 16, { deadlineMs: 60_000 });
    const before = checks;
    await waitFor('checks of the clock', () => checks > before + 3, { deadlineMs: 60_000 });
    expect(gate.waiting).toBe(16);
    gate.open();
    const left = () => collection(db, leasesCollection).countDocuments();
    await waitFor('the end of the follow-ups', async () => (await left()) === 0, { deadlineMs: 60_000 });
  });
});
