/** Core, assembled from its components. Opens no socket, and does nothing before `start`. */
import { type CurrentRights, type Policies, rightsOfToken } from '@rhizome/authz';
import { isDomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import { ensureCollections, runMigrations } from '@rhizome/mongo';
import { buildSubgraph, type SubgraphSchema } from '@rhizome/subgraph';
import type { Db } from 'mongodb';
import { compileSelector } from './scheduler/requirements/selector.js';
import type { Context, CoreServices } from './context.js';
import { type CoreConfig, defaultEvents } from './composition/core-config.js';
import { CoreMetrics } from './composition/core-metrics.js';
import { type SecretsModule, secretsModule } from './composition/secrets.module.js';
import { directoriesOf, type Directories } from './composition/directories.js';
import { consentStore, directoryStores, secretStore } from './composition/directory-stores.repository.js';
import {
  allQueueFacts,
  experimentFacts,
  queueDirectory,
  queueLookup,
} from './composition/directory-adapters.js';
import { type FailuresModule, failuresModule } from './composition/failures.module.js';
import { eventStores } from './composition/event-stores.repository.js';
import { EventsService } from './events/events.service.js';
import type { ReadJobs } from './events/hub/job-batch-reader.js';
import { errorPolicies, errorResolvers } from './events/graphql/error-resolvers.js';
import { eventPolicies, eventResolvers } from './events/graphql/resolvers.js';
import { AccessGrantsService } from './access/access-grants.service.js';
import { accessPolicies, accessResolvers } from './access/graphql/resolvers.js';
import { ConsentsService } from './consents/consents.service.js';
import { consentPolicies, consentResolvers } from './consents/graphql/resolvers.js';
import { secretPolicies, secretResolvers } from './secrets/graphql/resolvers.js';
import { experimentPolicies, experimentResolvers } from './experiments/graphql/resolvers.js';
import { hardwarePolicies, hardwareResolvers } from './hardware/graphql/resolvers.js';
import { gpuPolicies, gpuResolvers } from './gpus/graphql/resolvers.js';
import { deviceFleetOf } from './composition/device-fleet.js';
import { createJobDomain, type JobDomain } from './composition/job-domain.js';
import type { CheckSelector } from './jobs/submit/requirement-checks.js';
import { explainer } from './scheduler/explain/dry-run.js';
import { jobPolicies, jobResolvers } from './jobs/graphql/resolvers.js';
import { loggedFields, logHeads, LogTails } from './jobs/logs/log-tails.js';
import { type PoliciesModule, policiesModule } from './composition/policies.module.js';
import { jobStores, type JobStores } from './composition/job-stores.repository.js';
import { observedStore } from './jobs/transitions/observed-store.js';
import { GroupingTransitionWriter } from './jobs/transitions/transition-writer.js';
import { coreCollections, coreMigrations } from './composition/migrations.js';
import { downtimePolicies, downtimeResolvers } from './queues/graphql/downtime-resolvers.js';
import { policyPolicies, policyResolvers } from './policies/graphql/resolvers.js';
import { queuePolicies, queueResolvers } from './queues/graphql/resolvers.js';
import { sharePolicies, shareResolvers } from './shares/graphql/resolvers.js';
import { SuspendedTasks } from './tasks/control/suspended-tasks.js';
import { taskPolicies, taskResolvers } from './tasks/graphql/resolvers.js';
import { typeDefs } from './typeDefs.generated.js';
import { viewerPolicies, viewerResolvers } from './viewer/graphql/resolvers.js';
import { buildFleet, type FleetModule } from './composition/fleet.module.js';
import { leaseClockPolicies, leaseClockResolvers } from './workers/graphql/lease-clock-resolvers.js';
import { workerPolicies, workerResolvers } from './workers/graphql/resolvers.js';

/** Components that core is built from. */
export interface CoreOptions {
  /** Core's own database, on a replica set. */
  readonly db: Db;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  readonly config?: CoreConfig;
  /** Source of the rights that callers have now, for work that outlasts a call; default: their tokens. */
  readonly rights?: CurrentRights;
}

/** Built core. */
export interface Core {
  readonly subgraph: SubgraphSchema;
  /**
   * Migrates the database, opens the event stream and starts the background work. Resolves when calls can be
   * answered.
   */
  start(): Promise<void>;
  /**
   * Releases the leadership, so that workers no longer wait here and another process can lead. Calls are
   * still answered.
   */
  handOver(): Promise<void>;
  /** Releases the leadership, then ends all streams and the work in progress. */
  stop(): Promise<void>;
  /** Returns true if the event stream is open and the counts are loaded. */
  ready(): boolean;
  readonly metrics: CoreMetrics;
}

/** Access policies of core's root fields. */
export const corePolicies: Policies = {
  ...experimentPolicies,
  ...accessPolicies,
  ...consentPolicies,
  ...secretPolicies,
  ...sharePolicies,
  ...queuePolicies,
  ...downtimePolicies,
  ...policyPolicies,
  ...viewerPolicies,
  ...eventPolicies,
  ...errorPolicies,
  ...jobPolicies,
  ...taskPolicies,
  ...workerPolicies,
  ...leaseClockPolicies,
  ...gpuPolicies,
  ...hardwarePolicies,
};

/** Components with a life cycle. */
interface Components {
  readonly metrics: CoreMetrics;
  readonly events: EventsService;
  readonly directories: Directories;
  readonly access: AccessGrantsService;
  readonly consents: ConsentsService;
  readonly secrets: SecretsModule;
  readonly policies: PoliciesModule;
  readonly writer: GroupingTransitionWriter;
  readonly suspendedTasks: SuspendedTasks;
  readonly fleet: FleetModule;
  readonly jobs: JobDomain;
  readonly failures: FailuresModule;
}

/** Builds core. */
export function buildCore(options: CoreOptions): Core {
  const components = createComponents(options);
  const services = servicesOf(components, options.clock);
  const subgraph = buildSubgraph<Context>({
    name: 'core',
    typeDefs,
    resolvers: [
      experimentResolvers,
      accessResolvers,
      consentResolvers,
      secretResolvers,
      shareResolvers,
      queueResolvers,
      downtimeResolvers,
      policyResolvers,
      viewerResolvers,
      eventResolvers,
      errorResolvers,
      jobResolvers,
      taskResolvers,
      workerResolvers,
      leaseClockResolvers,
      gpuResolvers,
      hardwareResolvers,
    ],
    policies: corePolicies,
    contextFactory: (base) => Object.assign(base, { core: services }),
  });
  const lifecycle = new Lifecycle(options, components);
  return {
    subgraph,
    start: () => lifecycle.start(),
    handOver: () => components.fleet.leadership.stop(),
    stop: () => lifecycle.stop(),
    ready: () => lifecycle.isStarted && components.events.isReady,
    metrics: components.metrics,
  };
}

function createComponents(options: CoreOptions): Components {
  const { db, clock, ids, log, config } = options;
  const stores = jobStores(db);
  const events = eventsOf(options, (wanted, fields) => stores.jobs.find(wanted, fields));
  const smallStores = directoryStores(db);
  const access = new AccessGrantsService({
    repository: smallStores.access,
    jobOf: async (id) => (await stores.jobs.find([id], { owner: 1, experiment: 1 }))[0] ?? null,
    taskOf: async (id) => (await stores.tasks.find([id]))[0] ?? null,
    shareOf: async (path) => (await directories.shares.byPaths([path]))[0]?.experiment ?? null,
    clock,
    ids,
  });
  const directories = directoriesOf({
    stores: smallStores,
    clock,
    ids,
    log,
    events,
    hasLiveJobs: (experiment, share) => stores.jobs.hasLive(experiment, share),
  });
  const metrics = new CoreMetrics(clock);
  const store = observedStore(stores.transitions, metrics, clock);
  const writer = new GroupingTransitionWriter({ store, clock, log });
  const experimentExists = async (name: string): Promise<boolean> =>
    (await directories.experiments.find(name)) !== null;
  const secrets = secretsModule({
    repository: secretStore(db),
    config: config?.secrets,
    experimentExists,
    clock,
    ids,
    log,
  });
  const consents = new ConsentsService({
    repository: consentStore(db),
    experimentExists,
    rights: options.rights ?? rightsOfToken,
    clock,
  });
  const policies = policiesModule({
    repository: smallStores.policies,
    directories,
    tasks: (id, principal) => jobs.tasks.findMany([id], principal),
    stores,
    offers: { of: (job) => fleet.offers.of(job) },
    clock,
  });
  const suspendedTasks = new SuspendedTasks({ tasks: stores.taskControl, notices: events, log });
  const fleet: FleetModule = fleetOf(options, {
    ...{ events, directories, consents, secrets, policies, writer, metrics },
    suspendedTasks,
  });
  const failures = failuresModule(db, {
    stream: events,
    consumers: stores.consumers,
    leader: fleet.leadership,
    clock,
    log,
  });
  metrics.watch({ events, writer, leadership: fleet.leadership, ...fleet.services });
  const domains = { directories, access, consents, secrets, policies, suspendedTasks, fleet, failures };
  const parts = { metrics, events, writer, ...domains };
  const jobs: JobDomain = jobsOf(options, parts, stores);
  return { ...parts, jobs };
}

function eventsOf({ db, clock, ids, log, config }: CoreOptions, readJobs: ReadJobs): EventsService {
  const stores = eventStores(db, [
    'experiments',
    'shares',
    'queues',
    'downtimes',
    'accessGrants',
    'policies',
    'tasks',
    'workers',
    logHeads,
  ]);
  return new EventsService({
    stores,
    clock,
    ids,
    log,
    config: { ...defaultEvents, ...config?.events },
    readJobs,
  });
}

function fleetOf(
  { db, clock, ids, log, config }: CoreOptions,
  {
    events,
    directories,
    consents,
    secrets,
    policies,
    writer,
    metrics,
    suspendedTasks,
  }: Pick<
    Components,
    'events' | 'directories' | 'consents' | 'secrets' | 'policies' | 'writer' | 'metrics' | 'suspendedTasks'
  >,
): FleetModule {
  const { shares } = directories;
  const { leaseMs, renewMs } = config?.broker ?? {};
  return buildFleet({
    db,
    clock,
    ids,
    log,
    writer,
    observer: metrics,
    feed: events,
    suspendedTasks,
    secrets: secrets.service,
    consents,
    policies: policies.failures,
    queues: () => allQueueFacts(directories),
    queueLookup: queueLookup(directories),
    shares: () => shares.all(),
    rereadDirectories: () => directories.reread(),
    readyCount: (share) => events.counts.ready(share),
    onDirectoryChanged: (listener) => directories.onChanged(listener),
    url: config?.advertisedUrl,
    ...(leaseMs ? { brokerTtlMs: leaseMs } : {}),
    ...(renewMs ? { brokerRenewMs: renewMs } : {}),
    ...(config?.leaseClock ? { leaseClock: config.leaseClock } : {}),
  });
}

function jobsOf(
  { clock, ids, log, config, rights }: CoreOptions,
  { events, directories, access, consents, secrets, writer, suspendedTasks, fleet }: Omit<Components, 'jobs'>,
  stores: JobStores,
): JobDomain {
  const { experiments, shares, queues } = directories;
  return createJobDomain({
    stores,
    writer,
    experiments: {
      find: (name) => experimentFacts({ experiments, shares }, name),
      names: async () => (await experiments.all()).map(({ _id }) => _id),
    },
    queues: queueDirectory(queues),
    access,
    consents,
    secrets: secrets.service,
    checkSelector,
    stream: events,
    leader: fleet.leadership,
    liveCounts: (taskId) => events.counts.ofTask(taskId),
    // The event stream reports the command, too, if it cannot be read now.
    onTaskCommand: (taskId) =>
      suspendedTasks
        .refresh([taskId])
        .catch((err: unknown) => log.warn({ err, taskId }, 'commanded task could not be read')),
    processId: ids.next('core'),
    rights,
    clock,
    ids,
    log,
    maxLogBytes: config?.maxLogBytes,
    quotas: config?.quotas,
  });
}

const checkSelector: CheckSelector = (text) => {
  try {
    compileSelector(text);
    return { ok: true };
  } catch (error) {
    if (!isDomainError(error)) throw error;
    return { message: error.details.expected ?? error.message };
  }
};

function servicesOf(
  { events, directories, access, consents, secrets, policies, fleet, jobs, failures }: Components,
  clock: Clock,
): CoreServices {
  const { experiments, shares, queues, downtimes } = directories;
  const logTails = new LogTails({
    logs: jobs.jobLogs,
    clock,
    stream: events,
    find: async (id, principal) => (await jobs.jobs.findMany([id], loggedFields, principal))[0] ?? null,
  });
  return {
    experiments,
    shares,
    queues,
    downtimes,
    access,
    consents,
    secrets: secrets.service,
    policies: policies.service,
    simulations: policies.simulations,
    events,
    errors: failures.errors,
    fleet: fleet.services,
    shareUsage: async (paths) =>
      fleet.shareUsage(paths).map(({ cores, memoryMiB, gpus }) => ({
        usedCores: cores,
        usedMemoryMiB: memoryMiB,
        usedGpus: gpus,
      })),
    jobs: jobs.jobs,
    submits: jobs.submits,
    bulk: jobs.bulk,
    jobLogs: jobs.jobLogs,
    logTails,
    devices: deviceFleetOf(fleet.services, queues),
    tasks: jobs.tasks,
    taskCommands: jobs.taskCommands,
    pending: (jobs, caller) => fleet.services.explanations.pending(jobs, caller),
    explain: explainer({
      experiment: (name) => experimentFacts({ experiments, shares }, name),
      queues: queueDirectory(queues),
      checkSelector,
      explain: (asked, input, caller) => fleet.services.explanations.explain(asked, input, caller),
    }),
  };
}

/** Components in the order in which they start and stop. */
class Lifecycle {
  readonly #options: CoreOptions;
  readonly #components: Components;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  isStarted = false;

  constructor(options: CoreOptions, components: Components) {
    this.#options = options;
    this.#components = components;
  }

  start(): Promise<void> {
    return (this.#starting ??= this.#start());
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #start(): Promise<void> {
    const { db, log, clock } = this.#options;
    const { events, directories, secrets, suspendedTasks, fleet, jobs, failures } = this.#components;
    await runMigrations(db, coreMigrations, { log, clock });
    await ensureCollections(db, coreCollections, { log });
    await events.start();
    // Changes after this position of the stream are delivered, so values read now do not become stale.
    await directories.start();
    await suspendedTasks.start();
    events.leadWith(fleet.leadership);
    jobs.start();
    failures.work.start();
    secrets.start(fleet.leadership);
    await fleet.start();
    this.isStarted = true;
    log.info('core started');
  }

  async #stop(): Promise<void> {
    const { events, directories, secrets, suspendedTasks, writer, fleet, jobs, failures } = this.#components;
    this.isStarted = false;
    await this.#starting?.catch(() => undefined);
    // Leadership first: all work of its term ends with it, and another process can lead at once.
    await fleet.stop();
    await jobs.stop();
    await failures.work.stop();
    await secrets.stop();
    suspendedTasks.stop();
    directories.stop();
    await events.stop();
    await writer.close();
  }
}
