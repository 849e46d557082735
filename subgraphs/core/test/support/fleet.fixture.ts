/** For tests: core processes with scheduler and workers on a real store, and real jobs. */
import { silentLogger } from '@rhizome/log';
import { type Clock, createIds, systemClock } from '@rhizome/clock';
import { collection, ensureCollections } from '@rhizome/mongo';
import { leftovers, recordAnswer, testDatabase, type TestDatabase, testPrincipal } from '@rhizome/testkit';
import { recordedWriter } from './recorded.fixture.js';
import { aQueue } from './scheduler.fixture.js';
import type { Capacity, Grant } from '../../src/scheduler/scheduler.types.js';
import type { StoreTime } from '../../src/shared/store-time.js';
import { eventCollections, eventStores } from '../../src/composition/event-stores.repository.js';
import { EventsService } from '../../src/events/events.service.js';
import { ClassesRepository } from '../../src/jobs/model/requirement-classes.repository.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import type {
  JobDocument,
  StoredPayload,
  StoredRequirements,
  StoredRetryPolicy,
} from '../../src/jobs/model/job.types.js';
import { jobLogHeadsCollection, jobLogsCollection } from '../../src/jobs/logs/job-log.document.js';
import { JobLogsRepository } from '../../src/jobs/logs/job-logs.repository.js';
import { newJobDocument } from '../../src/jobs/model/new-job.js';
import { requirementClassesCollection } from '../../src/jobs/model/requirement-class.document.js';
import { GroupingTransitionWriter } from '../../src/jobs/transitions/transition-writer.js';
import { type TransitionStore, transitionStore } from '../../src/jobs/transitions/transitions.repository.js';
import { buildFleet, fleetCollections, type FleetModule } from '../../src/composition/fleet.module.js';
import { type AmountOffers, FailurePolicies } from '../../src/policies/failure-policies.js';
import { policyBooks } from '../../src/policies/policy-book.js';
import type { PolicyDocument } from '../../src/policies/policy.document.js';
import type { LeaseClockLimits } from '../../src/workers/lease-clock/lease-clock.js';
import type { FailSpec } from '../../src/workers/reports/report-input.js';
import type { DeviceInput } from '../../src/workers/registration/device-input.js';
import type { QueueFacts } from '../../src/queues/queue-facts.types.js';
import type { ShareFacts } from '../../src/shares/share-facts.types.js';
import { classIdOf } from '../../src/jobs/model/requirement-class-id.js';

/** Creates a database with the collections for the fleet. */
export async function fleetDatabase(): Promise<TestDatabase> {
  const db = await testDatabase('fleet');
  await prepareFleet(db);
  return db;
}

/** Creates the collections for the fleet. */
export async function prepareFleet(db: TestDatabase): Promise<void> {
  await ensureCollections(db, [
    jobsCollection,
    requirementClassesCollection,
    jobLogsCollection,
    jobLogHeadsCollection,
    ...eventCollections,
    ...fleetCollections,
  ]);
}

/** Options of a core process. */
export interface FleetSetup {
  readonly clock?: Clock;
  readonly storeTime?: StoreTime;
  readonly queues?: QueueFacts[];
  readonly shares?: ShareFacts[];
  /** Policies by id. */
  readonly policies?: ReadonlyMap<string, PolicyDocument>;
  readonly url?: string;
  readonly graceMs?: number;
  readonly leaseScanMs?: number;
  readonly leaseClock?: Partial<LeaseClockLimits>;
  readonly brokerTtlMs?: number;
  readonly brokerRenewMs?: number;
  /** Wraps the store of transitions. */
  readonly transitions?: (store: TransitionStore) => TransitionStore;
}

/** One core process, reduced to scheduler and workers. */
export interface TestFleet extends FleetModule {
  readonly db: TestDatabase;
  readonly writer: GroupingTransitionWriter;
  /** Changed in place by tests. */
  readonly queues: QueueFacts[];
  readonly shares: ShareFacts[];
}

/** Starts a process; stopped at the end of the file, or before. */
export async function startFleet(db: TestDatabase, setup: FleetSetup = {}): Promise<TestFleet> {
  const {
    clock = systemClock,
    queues = [aQueue({})],
    shares = [],
    policies = new Map<string, PolicyDocument>(),
    storeTime,
    url,
    transitions,
    ...rest
  } = setup;
  // On a busy machine the leader may be slow; most tests do not depend on that.
  // No gateway runs, and a clock that the test moves jumps further than the leader's checks allow.
  const withoutPauses = { needsGateway: false, checkMs: Infinity, stallMs: Infinity };
  const patience = { brokerTtlMs: 60_000, ...rest, leaseClock: { ...withoutPauses, ...rest.leaseClock } };
  const log = silentLogger();
  const ids = createIds();
  const jobs = collection(db, jobsCollection);
  const plain = transitionStore(jobs);
  const writer = new GroupingTransitionWriter({ store: transitions?.(plain) ?? plain, clock, log });
  const events = new EventsService({
    stores: eventStores(db, ['workers']),
    clock,
    ids,
    log,
    config: { ringSize: 1000, bufferSize: 100, countsSaveMs: 1000 },
    readJobs: (wanted) => jobs.find({ _id: { $in: [...wanted] } }).toArray(),
  });
  const named = (names: readonly string[]) =>
    names.map((wanted) => queues.find(({ name }) => name === wanted));
  const fleet: FleetModule = buildFleet({
    db,
    clock,
    ids,
    log,
    writer,
    feed: events,
    policies: failurePolicies(db, clock, policies, { of: (job) => fleet.offers.of(job) }),
    secrets: { reveal: async () => [] },
    consents: { secretNames: async () => [] },
    queues: () => queues,
    queueLookup: {
      byNames: async (names) => named(names),
      freshByNames: async (names) => named(names),
      allFresh: async () => queues,
    },
    rereadDirectories: async () => undefined,
    shares: () => shares,
    url: () => url,
    ...(storeTime ? { storeTime } : {}),
    ...patience,
  });
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> =>
    (stopping ??= (async () => {
      await fleet.stop();
      await events.stop();
      await writer.close();
    })());
  leftovers.defer('a process of core', stop);
  await events.start();
  await fleet.start();
  return { ...fleet, db, writer: recordedWriter(db, writer), queues, shares, stop };
}

/** Decisions by some policies, on a real store. */
export function failurePolicies(
  db: TestDatabase,
  clock: Clock,
  policies: ReadonlyMap<string, PolicyDocument> = new Map(),
  offers: AmountOffers = { of: () => [] },
): FailurePolicies {
  return new FailurePolicies({
    books: policyBooks({
      peek: (id) => policies.get(id)?.enabled,
      ofTasks: async (ids) => {
        const found = [...ids].map((id) => [id, policies.get(id)?.enabled] as const);
        return new Map(found.flatMap(([id, enabled]) => (enabled ? [[id, enabled] as const] : [])));
      },
    }),
    logs: new JobLogsRepository(collection(db, jobLogsCollection), collection(db, jobLogHeadsCollection)),
    classes: new ClassesRepository(collection(db, requirementClassesCollection)),
    offers,
    clock,
  });
}

/** A job for {@link submitJobs}. */
export interface TestJob {
  readonly requirements?: Partial<StoredRequirements>;
  readonly share?: string;
  readonly owner?: string;
  readonly priority?: number;
  readonly payload?: Partial<StoredPayload>;
  readonly retry?: Partial<StoredRetryPolicy>;
  readonly labels?: JobDocument['labels'];
  readonly task?: { readonly id: string; readonly index: number };
}

const ids = createIds();

/** Inserts ready jobs and their class, as a submit does. @returns their ids, oldest first */
export async function submitJobs(db: TestDatabase, count: number, job: TestJob = {}): Promise<string[]> {
  const now = systemClock.now();
  const requirements: StoredRequirements = {
    cores: 1,
    memoryMiB: 100,
    diskMiB: 0,
    walltimeSeconds: 60,
    network: false,
    ...job.requirements,
  };
  const classId = classIdOf(requirements);
  await new ClassesRepository(collection(db, requirementClassesCollection)).ensure(
    new Map([[classId, requirements]]),
    now,
  );
  const share = job.share ?? 'alpha/default';
  const documents = Array.from({ length: count }, () =>
    newJobDocument(
      {
        id: ids.next('job'),
        createdAt: now,
        experiment: share.slice(0, share.indexOf('/')),
        name: 'job',
        owner: job.owner ?? 'ada@example',
        share,
        priority: job.priority ?? 0,
        labels: job.labels ?? [],
        ...(job.task ? { task: job.task } : {}),
        requirements,
        classId,
        payload: { command: 'true', arguments: [], environment: [], inputs: [], outputs: [], ...job.payload },
        retry: {
          maxAttempts: 3,
          backoffSeconds: 0,
          backoffFactor: 2,
          retryOn: ['DATA', 'PAYLOAD', 'SYSTEM', 'WORKER'],
          ...job.retry,
        },
        dependsOn: [],
        waitingFor: [],
      },
      now,
    ),
  );
  for (let at = 0; at < documents.length; at += 10_000) {
    await collection(db, jobsCollection).insertMany(documents.slice(at, at + 10_000), { ordered: false });
  }
  return documents.map(({ _id }) => _id);
}

/** Returns stored jobs, in the order of the ids. */
export async function storedJobs(db: TestDatabase, jobIds: readonly string[]): Promise<JobDocument[]> {
  const found = new Map(
    (
      await collection(db, jobsCollection)
        .find({ _id: { $in: [...jobIds] } })
        .toArray()
    ).map((job) => [job._id, job]),
  );
  return jobIds.map((id) => {
    const job = found.get(id);
    if (!job) throw new Error(`Job "${id}" not found.`);
    return job;
  });
}

/** A principal with all permissions. */
export const admin = testPrincipal();

/** A pilot of a queue. */
export function pilotOf(queue: string) {
  return testPrincipal({ kind: 'PILOT', subject: `pilot:${queue}`, grants: 'PILOT' });
}

/** A device in a worker's report. */
export function aDeviceSpec(id: string, change: Partial<DeviceInput> = {}): DeviceInput {
  return { id, vendor: 'NVIDIA', model: 'A100', health: 'HEALTHY', ...change };
}

/** A registered worker that acquires jobs and reports, as an agent does. */
export class TestWorker {
  private constructor(
    readonly fleet: TestFleet,
    readonly id: string,
    readonly cores: number,
    readonly memoryMiB: number,
  ) {}

  static async register(
    fleet: TestFleet,
    change: {
      readonly name?: string;
      readonly queue?: string;
      readonly cores?: number;
      readonly memoryMiB?: number;
      readonly key?: string;
      readonly host?: string;
      readonly batchJobId?: string;
      /** Devices, or ids of healthy ones. */
      readonly devices?: readonly (string | DeviceInput)[];
    } = {},
  ): Promise<TestWorker> {
    const {
      name = ids.next('agent'),
      queue = 'main',
      cores = 8,
      memoryMiB = 1_000_000,
      key = ids.next('key'),
      host = 'host-1',
      batchJobId,
      devices = [],
    } = change;
    const { worker, userErrors } = await fleet.services.workers.register(pilotOf(queue), {
      queue,
      name,
      host,
      version: '1.0',
      hardware: { architecture: 'x86_64', cores, memoryMiB, diskMiB: 1_000_000 },
      devices: devices.map((one) => (typeof one === 'string' ? aDeviceSpec(one) : one)),
      batchJobId,
      idempotencyKey: key,
    });
    if (!worker) throw new Error(JSON.stringify(userErrors));
    return new TestWorker(fleet, worker._id, cores, memoryMiB);
  }

  /** Returns the same worker as a client of another process. */
  at(fleet: TestFleet): TestWorker {
    return new TestWorker(fleet, this.id, this.cores, this.memoryMiB);
  }

  async acquire(
    count: number,
    change: {
      readonly waitSeconds?: number;
      readonly freeDeviceIds?: readonly string[];
      readonly signal?: AbortSignal;
      readonly free?: Capacity;
    } = {},
  ): Promise<readonly Grant[]> {
    const { signal, ...spec } = change;
    const free = { cores: this.cores, memoryMiB: this.memoryMiB, diskMiB: 1_000_000 };
    const { assignments, userErrors } = await this.fleet.services.acquire.acquire(
      { workerId: this.id, count, free, ...spec },
      { principal: pilotOf('main'), requestId: 'test', signal, isForwarded: false },
    );
    if (userErrors.length > 0) throw new Error(JSON.stringify(userErrors));
    for (const { jobId, fence } of assignments)
      recordAnswer(this.fleet.db, { kind: 'GRANT', workerId: this.id, jobId, fence });
    return assignments;
  }

  /**
   * Acquires until it has this number of jobs: the events of jobs submitted one after another may arrive
   * separately.
   */
  async acquireInAll(
    count: number,
    change: { readonly freeDeviceIds?: readonly string[] } = {},
  ): Promise<readonly Grant[]> {
    const all: Grant[] = [];
    for (let tries = 0; all.length < count && tries < 2 * count; tries += 1) {
      all.push(...(await this.acquire(count - all.length, { waitSeconds: 60, ...change })));
    }
    return all;
  }

  async start(grants: readonly Grant[], phase: 'STARTING' | 'RUNNING' = 'RUNNING') {
    const answer = await this.fleet.services.reports.start(
      pilotOf('main'),
      this.id,
      grants.map(({ jobId, fence }) => ({ id: jobId, fence, phase })),
    );
    return this.#recorded(answer, grants, phase);
  }

  /** Reports the jobs running (a job that already runs accepts this, too), and then finished. */
  async finish(grants: readonly Grant[]) {
    await this.start(grants);
    return this.reportFinished(grants);
  }

  /** Reports the jobs finished, and nothing before that. */
  async reportFinished(grants: readonly Grant[]) {
    const answer = await this.fleet.services.reports.finish(
      pilotOf('main'),
      this.id,
      grants.map(({ jobId, fence }) => ({ id: jobId, fence })),
    );
    return this.#recorded(answer, grants, 'FINISHED');
  }

  async fail(grants: readonly Grant[], retryable = true, change: Partial<FailSpec['error']> = {}) {
    const error = {
      family: 'PAYLOAD' as const,
      code: 'EXIT_CODE',
      message: 'exit code 3',
      isRetryable: retryable,
      ...change,
    };
    const answer = await this.fleet.services.reports.fail(
      pilotOf('main'),
      this.id,
      grants.map(({ jobId, fence }) => ({ id: jobId, fence, exit: { code: 3 }, error })),
    );
    return this.#recorded(answer, grants, 'FAILED');
  }

  async heartbeat(grants: readonly Grant[] = [], devices?: readonly DeviceInput[]) {
    const answer = await this.fleet.services.workers.heartbeat(pilotOf('main'), {
      workerId: this.id,
      ...(devices ? { devices } : {}),
      jobs: grants.map(({ jobId, fence }) => ({ id: jobId, fence })),
    });
    for (const { kind, jobId, fence } of answer.commands)
      if (kind === 'DROP' && jobId !== undefined && fence !== undefined)
        recordAnswer(this.fleet.db, { kind: 'DROP', workerId: this.id, jobId, fence });
    return answer;
  }

  /** Records the accepted reports for the check of the history. */
  #recorded<T extends { readonly acceptedIds: readonly string[] }>(
    answer: T,
    grants: readonly Grant[],
    phase: 'STARTING' | 'RUNNING' | 'FINISHED' | 'FAILED',
  ): T {
    const fences = new Map(grants.map(({ jobId, fence }) => [jobId, fence]));
    for (const jobId of answer.acceptedIds)
      recordAnswer(this.fleet.db, { kind: 'REPORT', jobId, fence: fences.get(jobId) ?? 0, phase });
    return answer;
  }
}
