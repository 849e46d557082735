/** For tests: a core process whose time the test moves, and whose leases only the test follows up. */
import { collection } from '@rhizome/mongo';
import { type ManualClock, manualClock, type TestDatabase, waitFor } from '@rhizome/testkit';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import type { Grant } from '../../src/scheduler/scheduler.types.js';
import type { StatedContinuity } from '../../src/shared/continuity.js';
import { timeOf } from '../../src/shared/store-time.js';
import { workersCollection } from '../../src/workers/worker.document.js';
import type { WorkerState } from '../../src/scheduler/worker-facts.types.js';
import { startFleet, type TestFleet } from './fleet.fixture.js';
import { storedJobs, submitJobs, type TestJob } from './fleet-jobs.fixture.js';
import { TestWorker } from './test-worker.fixture.js';
import { aGpu, aQueue } from './scheduler.fixture.js';

/** Id of a GPU, for {@link ManualFleet.sent}. */
export const uuid = 'GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f';

/** Times of a job that another worker may get 100 s after the end of the lease. */
export const short: StatedContinuity = { continueSeconds: 1000, reassignAfterSeconds: 100 };

/** A worker with a job that was granted to it. */
export interface Holding {
  readonly worker: TestWorker;
  readonly id: string;
  readonly grants: readonly Grant[];
}

/** A job for {@link ManualFleet.sent}, and the devices of its worker: with devices, it needs a GPU. */
export type HeldTestJob = TestJob & {
  readonly devices?: readonly string[];
  /** Batch job of the worker. */
  readonly batchJobId?: string;
};

/** A process whose time stands still unless the test moves it. */
export interface ManualFleet extends TestFleet {
  /** Time goes on in steps that the broker's lease survives. */
  pass(seconds: number): Promise<void>;
  /** Time goes on, and the leader follows up leases. */
  passAndScan(seconds: number): Promise<void>;
  workerState(worker: TestWorker): Promise<WorkerState | undefined>;
  stored(jobId: string): Promise<JobDocument>;
  /** A new worker to which a new job was sent. */
  sent(continuity: StatedContinuity, job?: HeldTestJob): Promise<Holding>;
  /** A new worker that runs a new job. */
  running(continuity: StatedContinuity, job?: HeldTestJob): Promise<Holding>;
}

/**
 * Starts a process, and waits until it leads. Its lease clock needs reports of a gateway if the test says so.
 */
export async function startManualFleet(
  db: TestDatabase,
  clock: ManualClock = manualClock(),
  { needsGateway = false } = {},
): Promise<ManualFleet> {
  // The clock stands still while nobody moves it: the broker's own lease is renewed by it, too.
  const fleet = await startFleet(db, {
    clock,
    storeTime: timeOf(clock),
    queues: [
      aQueue({ limits: { leaseSeconds: 30 } }),
      aQueue({ id: 'queue_patient', name: 'patient', limits: { maxNoticeSeconds: 3600 } }),
    ],
    graceMs: 20_000,
    leaseClock: { needsGateway },
    // Scanned by the test alone: a scan between two steps of a test would see other facts than the test
    // means.
    leaseScanMs: 3_600_000,
    // Renewed by the test alone, so that no renewal is under way while the clock moves.
    brokerRenewMs: 3_600_000,
  });
  await waitFor('the broker leads', () => fleet.services.scheduler.isReady, { deadlineMs: 60_000 });
  const pass = async (seconds: number): Promise<void> => {
    for (let left = seconds; left > 0; left -= 2) {
      clock.advance(Math.min(left, 2) * 1000);
      await fleet.leadership.step();
    }
  };
  const sent = (continuity: StatedContinuity, job?: HeldTestJob) => sentJob(fleet, db, continuity, job);
  return {
    ...fleet,
    pass,
    sent,
    async passAndScan(seconds) {
      await pass(seconds);
      await fleet.leaseWatch.scan();
    },
    workerState: async ({ id }) => (await collection(db, workersCollection).findOne({ _id: id }))?.state,
    async stored(jobId) {
      const [job] = await storedJobs(db, [jobId]);
      if (!job) throw new Error(`no job ${jobId}`);
      return job;
    },
    async running(continuity, job) {
      const holding = await sent(continuity, job);
      await holding.worker.start(holding.grants);
      return holding;
    },
  };
}

async function sentJob(
  fleet: TestFleet,
  db: TestDatabase,
  continuity: StatedContinuity,
  { devices = [], batchJobId, ...job }: HeldTestJob = {},
): Promise<Holding> {
  const worker = await TestWorker.register(fleet, { devices, ...(batchJobId && { batchJobId }) });
  const [id = ''] = await submitJobs(db, 1, {
    ...job,
    requirements: { continuity, ...(devices.length > 0 ? { gpu: aGpu() } : {}), ...job.requirements },
  });
  const grants = await worker.acquire(1, { waitSeconds: 60, freeDeviceIds: devices });
  return { worker, id, grants };
}

/** The worker's jobs under the fences that it was given by ADOPT. */
export function adoptedBy(
  grants: readonly Grant[],
  commands: readonly { readonly kind: string; readonly jobId?: string; readonly newFence?: number }[],
): readonly Grant[] {
  return grants.map((grant) => {
    const command = commands.find(({ kind, jobId }) => kind === 'ADOPT' && jobId === grant.jobId);
    if (command?.newFence === undefined) throw new Error(`no ADOPT: ${JSON.stringify(commands)}`);
    return { ...grant, fence: command.newFence };
  });
}
