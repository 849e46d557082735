/** Assembles scheduler and workers. Opens no socket; does nothing before `start`. */
import type { Logger } from '@rhizome/log';
import { type Clock, type Ids, StallMeter } from '@rhizome/clock';
import { SchedulerService } from '../scheduler/dispatch/scheduler.service.js';
import { SchedulerCache } from '../scheduler/cache/scheduler-cache.js';
import type { JobEventFeed } from '../scheduler/scheduler.types.js';
import { Explanations } from '../scheduler/explain/explanations.js';
import { forwardAcquire } from '../scheduler/leader/forwarding.js';
import { BrokerLeadership } from '../scheduler/leader/leadership.js';
import type { Ledger } from '../scheduler/cache/ledger.js';
import type { Usage } from '../scheduler/cache/usage.js';
import type { SchedulerJobsRepository } from '../scheduler/cache/scheduler-jobs.repository.js';
import { RequirementClasses } from '../scheduler/requirements/requirement-classes.js';
import { RequeueGrants } from '../scheduler/dispatch/requeue-grants.js';
import { noObserver, type WorkObserver } from '../shared/work-observer.js';
import { serverTime, type StoreTime } from '../shared/store-time.js';
import type { TransitionWriter } from '../jobs/transitions/transition.types.js';
import { HardwareViews } from '../hardware/hardware-map.service.js';
import { preemptionHoldsCollection } from '../scheduler/preemption/preemption-hold.document.js';
import { canariesCollection } from '../workers/canaries/canary.document.js';
import { Adoptions } from '../workers/adoption/adoptions.js';
import { ContinuedJobs } from '../workers/adoption/continued-jobs.js';
import { classRecordsCollection } from '../workers/measured/class-record.document.js';
import { lostTimesCollection } from '../workers/adoption/lost-time.document.js';
import { WorkerReturns } from '../workers/adoption/worker-returns.js';
import { AcquireService } from '../workers/acquire.service.js';
import { CommandHub } from '../workers/commands/command-hub.js';
import { CommandRules } from '../workers/commands/command-rules.js';
import { type FleetDatabase, fleetStores } from './fleet-stores.repository.js';
import { FactReports } from '../workers/registration/fact-reports.js';
import { Heartbeats } from '../workers/leases/heartbeats.js';
import { JobHolder } from '../workers/reports/job-holder.js';
import { LeaseClock, type LeaseClockLimits } from '../workers/lease-clock/lease-clock.js';
import { silenceOf } from '../workers/lease-clock/silence.js';
import {
  gatewayReportsCollection,
  leaseClockCollection,
} from '../workers/lease-clock/lease-clock.document.js';
import { LeaseClockService } from '../workers/lease-clock/lease-clock.service.js';
import { LeaseWatch } from '../workers/leases/lease-watch.js';
import { Registration } from '../workers/registration/registration.js';
import { JobProgress } from '../jobs/checkpoints/job-progress.js';
import { jobProgressCollection } from '../jobs/checkpoints/job-progress.document.js';
import { ProgressReports } from '../workers/reports/progress-reports.js';
import { ReportsService } from '../workers/reports/reports.service.js';
import { SecretDelivery } from '../workers/secrets/secret-delivery.js';
import { WorkerAccess } from '../workers/worker-access.js';
import { WorkerEnds } from '../workers/worker-ends.js';
import { WorkerRegistry } from '../workers/worker-registry.js';
import { brokerLeaseCollection, leasesCollection, workersCollection } from '../workers/worker.document.js';
import { type QueueLookup, WorkerDirectory } from '../workers/worker-directory.service.js';
import { WorkersService } from '../workers/workers.service.js';
import type { ConsentsService } from '../consents/consents.service.js';
import { WorkerOffers } from '../scheduler/cache/worker-offers.js';
import { allHealthy, type HostStandings } from '../scheduler/cache/host-standing.types.js';
import { HostTests } from '../scheduler/dispatch/host-tests.js';
import type { FailurePolicies } from '../policies/failure-policies.js';
import type { SecretsService } from '../secrets/secrets.service.js';
import type { QueueFacts } from '../queues/queue-facts.types.js';
import type { ShareFacts } from '../shares/share-facts.types.js';
import { noSuspendedTasks, type SuspendedTaskFeed } from '../tasks/control/suspended-task.types.js';
import { type LimitedTaskFeed, noLimitedTasks } from '../tasks/limits/limited-task.types.js';
import type { FleetServices } from '../context.js';

/** Collections that this module writes. */
export const fleetCollections = [
  workersCollection,
  leasesCollection,
  brokerLeaseCollection,
  leaseClockCollection,
  gatewayReportsCollection,
  lostTimesCollection,
  jobProgressCollection,
  canariesCollection,
  preemptionHoldsCollection,
  classRecordsCollection,
] as const;

/** Dependencies of scheduler and workers on the rest of core. */
export interface FleetOptions {
  readonly db: FleetDatabase;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  readonly writer: TransitionWriter;
  readonly observer?: WorkObserver | undefined;
  /** Event stream of the process: job events, and notices of written workers. */
  readonly feed: JobEventFeed & {
    onWritten?(collection: string, listener: (ids: readonly string[]) => void): () => void;
  };
  /** Decisions about failed attempts. */
  readonly policies: FailurePolicies;
  /** Tasks whose jobs no worker gets; none by default. */
  readonly suspendedTasks?: SuspendedTaskFeed;
  /** Tasks with a limit on running jobs; none by default. */
  readonly limitedTasks?: LimitedTaskFeed;
  /** Values of secrets, for deliveries. */
  readonly secrets: Pick<SecretsService, 'reveal'>;
  /** Consents of owners to the use of their secrets. */
  readonly consents: Pick<ConsentsService, 'secretNames'>;
  /** Hosts that are not healthy; none by default. */
  readonly hosts?: HostStandings;
  /** All current queues and shares. */
  readonly queues: () => readonly QueueFacts[] | Promise<readonly QueueFacts[]>;
  /** Queues by name, from memory and from the store. */
  readonly queueLookup: QueueLookup;
  /**
   * Reads queues and shares from the store: memory then contains everything that any process has written so
   * far.
   */
  readonly rereadDirectories: () => Promise<void>;
  readonly shares: () => readonly ShareFacts[] | Promise<readonly ShareFacts[]>;
  /** Number of ready jobs of a share, according to the counts. */
  readonly readyCount?: (share: string) => number;
  /** Calls the listener when queues or shares change. @returns function that removes it */
  readonly onDirectoryChanged?: (listener: () => void) => () => void;
  /**
   * Address at which this process accepts GraphQL calls of other core processes, resolved on use; absent for
   * a single process.
   */
  readonly url?: (() => string | undefined) | undefined;
  readonly brokerTtlMs?: number;
  readonly brokerRenewMs?: number;
  readonly graceMs?: number;
  /** Interval between two scans for expired leases, in milliseconds; defaults to 1,000. */
  readonly leaseScanMs?: number;
  /** Limits of the lease clock, where they differ from the defaults. */
  readonly leaseClock?: Partial<LeaseClockLimits>;
  /** Defaults to the store's clock. */
  readonly storeTime?: StoreTime;
}

/** Scheduler and workers of one process. */
export interface FleetModule {
  readonly services: FleetServices;
  /** Requirement classes in memory. */
  readonly classes: RequirementClasses;
  /** Amounts that the live workers offer. */
  readonly offers: WorkerOffers;
  readonly leadership: BrokerLeadership;
  readonly leaseWatch: LeaseWatch;
  /** Jobs by which hosts are tested. */
  readonly hostTests: HostTests;
  /** Granted resources of shares, one entry per path. */
  shareUsage(paths: readonly string[]): readonly Usage[];
  /** Starts the work. The event stream must be open: its later events are applied. */
  start(): Promise<void>;
  /** Releases the leadership first, so that another process can lead at once. */
  stop(): Promise<void>;
}

/** Builds scheduler and workers. */
export function buildFleet(options: FleetOptions): FleetModule {
  const { clock, ids, log, writer, url, graceMs, brokerTtlMs = 5000, brokerRenewMs = 1000 } = options;
  const { observer = noObserver } = options;
  const { suspendedTasks = noSuspendedTasks, limitedTasks = noLimitedTasks } = options;
  const components = createComponents(options);
  const { stores, cache, registry, classes, requeueGrants } = components;
  const { jobs, leases, unreachable, workers, brokerLease } = stores;
  const leadership = new BrokerLeadership({
    leases: brokerLease,
    clock,
    log,
    holder: ids.next('core'),
    url,
    ttlMs: brokerTtlMs,
    renewMs: brokerRenewMs,
  });
  const leaseClock = new LeaseClock({
    clocks: stores.leaseClock,
    leases: stores.endedLeases,
    term: () => leadership.term,
    stalls: new StallMeter(clock),
    countWorkers: () => registry.countWorking(),
    log,
    ...(options.leaseClock ? { limits: options.leaseClock } : {}),
  });
  const hostTests = new HostTests();
  const scheduler = new SchedulerService({
    cache,
    tests: hostTests,
    classes,
    jobs,
    readyJobs: stores.readyJobs,
    leadership,
    writer,
    requeueGrants,
    checkpoints: stores.progress,
    storedHolds: stores.holds,
    observer,
    suspendedTasks,
    limitedTasks,
    clock,
    ids,
    log,
    unreachableSince: (workerId) => registry.unreachableSince(workerId),
    silenceOf: (workerId) => silenceOf(workerId, { standstill: leaseClock.standstill, leases, clock }),
    readyCount: options.readyCount,
  });
  const { ledger } = cache;
  const isLeading = (): boolean => scheduler.isReady;
  const watched = {
    leases,
    leaseClock,
    unreachable,
    workers,
    registry,
    ledger,
    readHeld: (jobIds: readonly string[]) => cache.readHeld(jobIds),
    requeueGrants,
    observer,
    clock,
    log,
    isLeading,
  };
  const leaseWatch = new LeaseWatch({
    ...watched,
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(options.leaseScanMs === undefined ? {} : { scanMs: options.leaseScanMs }),
  });
  const services = servicesOf(options, components, scheduler, leadership);
  return {
    services,
    classes,
    offers: new WorkerOffers({ fleet: cache.fleet, classes, clock }),
    leadership,
    leaseWatch,
    hostTests,
    shareUsage: (paths) => paths.map((path) => scheduler.shareUsage(path)),
    ...lifecycleOf(options, services, leadership, leaseWatch),
  };
}

/** Devices that are given to jobs: from the ledger of the leader, or from the store. */
function deviceLookups(scheduler: SchedulerService, ledger: Ledger, jobs: SchedulerJobsRepository) {
  return {
    devices: async (workerId: string): Promise<ReadonlyMap<string, string>> =>
      scheduler.isReady ? ledger.devicesOf(workerId) : jobs.devicesOf([...ledger.jobsOf(workerId)]),
    booked: async (workerIds: readonly string[]): Promise<ReadonlyMap<string, ReadonlySet<string>>> =>
      scheduler.isReady
        ? new Map(workerIds.map((id) => [id, new Set(ledger.devicesOf(id).keys())]))
        : jobs.bookedDevices(workerIds.flatMap((id) => [...ledger.jobsOf(id)])),
  };
}

function servicesOf(
  { clock, ids, log, writer, policies, url, queues, queueLookup, secrets, consents }: FleetOptions,
  { stores, cache, registry, classes, requeueGrants }: ReturnType<typeof createComponents>,
  scheduler: SchedulerService,
  leadership: BrokerLeadership,
): FleetServices {
  const { jobs, leases, unreachable, workers } = stores;
  const { ledger } = cache;
  const commands = new CommandHub({ cache, classes, clock });
  const access = new WorkerAccess({ queues: queueLookup });
  const { devices, booked } = deviceLookups(scheduler, ledger, jobs);
  const holder = new JobHolder({ registry, access, ledger, jobs });
  const progress = new JobProgress({ repository: stores.progress, clock });
  const reporting = { writer, policies, progress, clock };
  const fences = stores.brokerLease;
  const { superseded } = stores;
  const adoptions = new Adoptions({ jobs, fences, unreachable, superseded, writer, clock, log });
  const returns = new WorkerReturns({
    leases,
    unreachable,
    workers,
    registry,
    ledger,
    jobs,
    requeueGrants,
    queues: queueLookup,
    log,
  });
  const ends = new WorkerEnds({ workers, leases, registry, access, queues: queueLookup, log });
  const continuedJobs = new ContinuedJobs({ workers, leases, registry, adoptions, jobs, log });
  return {
    cache,
    registry,
    scheduler,
    explanations: new Explanations({ scheduler, leadership, ownUrl: url, log }),
    commands,
    leaseClock: new LeaseClockService(stores.leaseClock, clock),
    hardware: new HardwareViews({ registry, workers, leases, booked, clock, queues }),
    reports: new ReportsService({ ...{ registry, access, returns, ledger, jobs }, ...reporting }),
    progress,
    ends,
    holder,
    secretDelivery: new SecretDelivery({ holder, jobs, secrets, consents, clock, log }),
    acquire: new AcquireService({
      scheduler,
      leadership,
      registry,
      admit: (worker) => cache.readUnknownQueue(worker),
      access,
      returns,
      forward: forwardAcquire,
      ownUrl: url,
    }),
    workerDirectory: new WorkerDirectory({ workers, leases, queues: queueLookup, devices }),
    workers: new WorkersService({
      workers,
      registry,
      clock,
      access,
      registration: new Registration({ workers, leases, continuedJobs, ids, log }),
      heartbeats: new Heartbeats(leases),
      facts: new FactReports(workers, registry),
      progress: new ProgressReports({ ledger, jobs, progress, clock }),
      queues: queueLookup,
      commands: new CommandRules(ledger, adoptions, clock),
      returns,
      ends,
      hub: commands,
    }),
  };
}

function createComponents({
  db,
  clock,
  log,
  feed,
  writer,
  policies,
  storeTime = serverTime,
  queues,
  shares,
  hosts = allHealthy,
  rereadDirectories,
  brokerTtlMs = 5000,
}: FleetOptions) {
  const stores = fleetStores(db, storeTime, brokerTtlMs);
  const classes = new RequirementClasses(stores.classes, stores.classRecords);
  const registry = new WorkerRegistry(stores.workers, log);
  const directory = {
    queues: async () => queues(),
    shares: async () => shares(),
    reread: async () => {
      await Promise.all([rereadDirectories(), registry.refresh()]);
    },
  };
  const { jobs } = stores;
  const retained = () => stores.unreachable.retained();
  const sources = { directory, workers: registry, classes, jobs, feed, writer, retained, hosts };
  const cache = new SchedulerCache({ ...sources, clock, log });
  const requeueGrants = new RequeueGrants({ jobs, writer, policies, log });
  return { stores, classes, registry, cache, requeueGrants };
}

function lifecycleOf(
  { feed, onDirectoryChanged, log }: FleetOptions,
  { scheduler, commands, registry, cache }: FleetServices,
  leadership: BrokerLeadership,
  leaseWatch: LeaseWatch,
): Pick<FleetModule, 'start' | 'stop'> {
  const stops: (() => void)[] = [];
  const logged = (work: Promise<void>): void =>
    void work.catch((err: unknown) => log.warn({ err }, 'fleet refresh failed'));
  return {
    async start() {
      const stopNotices = feed.onWritten?.('workers', (ids) => logged(registry.notice(ids)));
      const stopDirectory = onDirectoryChanged?.(() => logged(cache.refresh()));
      stops.push(
        registry.onChanged((worker) => commands.drainIfDraining(worker)),
        ...[stopNotices, stopDirectory].filter((stop) => stop !== undefined),
      );
      await registry.start();
      await scheduler.start();
      commands.start();
      leaseWatch.start();
      await leadership.start();
    },
    async stop() {
      await scheduler.finishGrants();
      await leadership.stop();
      for (const stop of stops.splice(0)) stop();
      await leaseWatch.stop();
      commands.stop();
      await scheduler.stop();
      await registry.stop();
    },
  };
}
