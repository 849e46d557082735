/** Creates the components of a core process and connects them. Nothing starts here. */
import { rightsOfToken } from '@rhizome/authz';
import { defaultEvents, type CoreOptions } from './core-config.js';
import { CoreMetrics } from './core-metrics.js';
import { type SecretsModule, secretsModule } from './secrets.module.js';
import { directoriesOf, type Directories } from './directories.js';
import { consentStore, directoryStores, secretStore } from './directory-stores.repository.js';
import {
  allQueueFacts,
  experimentFacts,
  queueDirectory,
  queueLookup,
  sitesOfQueues,
} from './directory-adapters.js';
import { type FailuresModule, failuresModule } from './failures.module.js';
import { eventStores } from './event-stores.repository.js';
import { EventsService } from '../events/events.service.js';
import type { ReadJobs } from '../events/hub/job-batch-reader.js';
import { AccessGrantsService } from '../access/access-grants.service.js';
import { ConsentsService } from '../consents/consents.service.js';
import { createJobDomain, type JobDomain, quotaOf } from './job-domain.js';
import { logHeads } from '../jobs/logs/log-tails.js';
import { canariesModule, type CanariesModule } from './canaries/canaries.module.js';
import { classRecordStore } from './fleet-stores.repository.js';
import { type HostsModule, hostsModule } from './hosts.module.js';
import { HostBook } from '../workers/hosts/host-book.js';
import { type PoliciesModule, policiesModule } from './policies.module.js';
import { ruleEffects } from './rule-effects.js';
import { jobStores, type JobStores } from './job-stores.repository.js';
import { observedStore } from '../jobs/transitions/observed-store.js';
import { GroupingTransitionWriter } from '../jobs/transitions/transition-writer.js';
import { WaitingInputs } from '../tasks/waiting-inputs.repository.js';
import { LimitedTasks } from '../tasks/limits/limited-tasks.js';
import { SuspendedTasks } from '../tasks/control/suspended-tasks.js';
import { buildFleet, type FleetModule } from './fleet.module.js';
import { checkSelector } from './check-selector.js';
import { unitStores } from './units/unit-stores.repository.js';
import { type UnitsModule, unitsModule } from './units/units.module.js';
import { attemptFields } from '../units/reports/attempts.js';
import { type WorkflowStores, workflowStores } from './workflows/workflow-stores.repository.js';
import { type WorkflowsModule, workflowsModule } from './workflows/workflows.module.js';
import { type JobFleetStores, jobFleetStores } from './fleets/job-fleets.repository.js';
import { type JobFleetsModule, jobFleetsModule } from './fleets/job-fleets.module.js';
import { FleetGates } from '../fleets/gate/fleet-gates.js';
import { type FilesModule, filesModule } from './files/files.module.js';
import { type FileStores, fileStores } from './files/file-stores.repository.js';
import type { PilotServices } from '../pilots/pilot-services.types.js';
import { pilotStores } from './pilots/pilot-stores.repository.js';
import { pilotsModule } from './pilots/pilots.module.js';
import { datasetStores } from './datasets/dataset-stores.repository.js';
import { type WaitingSources, waitingUserOfUpload, waitingUses } from './datasets/waiting-uses.js';
import { type DatasetsModule, datasetsModule } from './datasets/datasets.module.js';
import { serves } from '../storages/places.js';

/** Components with a life cycle. */
export interface Components {
  readonly metrics: CoreMetrics;
  readonly events: EventsService;
  readonly directories: Directories;
  readonly access: AccessGrantsService;
  readonly consents: ConsentsService;
  readonly secrets: SecretsModule;
  readonly policies: PoliciesModule;
  readonly writer: GroupingTransitionWriter;
  readonly suspendedTasks: SuspendedTasks;
  readonly limitedTasks: LimitedTasks;
  readonly fleet: FleetModule;
  readonly jobs: JobDomain;
  readonly failures: FailuresModule;
  readonly hosts: HostsModule;
  readonly canaries: CanariesModule;
  readonly units: UnitsModule;
  readonly workflows: WorkflowsModule;
  /** Fleets of jobs. */
  readonly fleets: JobFleetsModule;
  readonly gates: FleetGates;
  readonly files: FilesModule;
  readonly pilots: PilotServices;
  readonly datasets: DatasetsModule;
}

/** Creates the components. */
export function createComponents(options: CoreOptions): Components {
  const { db, clock, ids, log, config } = options;
  const stores = jobStores(db);
  const events = eventsOf(options, (wanted, fields) => stores.jobs.find(wanted, fields));
  const smallStores = directoryStores(db);
  const access = accessOf(options, stores, smallStores.access, (path) => directories.shares.byPaths([path]));
  const graphs = workflowStores(db);
  const { workflows: held } = graphs;
  const standing = jobFleetStores(db);
  const storedFiles = fileStores(db);
  const directories = directoriesOf({
    stores: smallStores,
    ...{ clock, ids, log, events },
    hasLiveJobs: hasLiveJobs(stores, held, standing),
    liveJobOf: (storage, experiments, kept) => storedFiles.needs.liveJobOf(storage, experiments, kept),
  });
  const metrics = new CoreMetrics(clock);
  const store = observedStore(stores.transitions, metrics, clock);
  const writer = new GroupingTransitionWriter({ store, clock, log });
  const experimentExists = async (name: string): Promise<boolean> =>
    (await directories.experiments.find(name)) !== null;
  const secrets = secretsModule({
    ...{ repository: secretStore(db), config: config?.secrets },
    ...{ experimentExists, clock, ids, log },
  });
  const rights = options.rights ?? rightsOfToken;
  const consents = new ConsentsService({ repository: consentStore(db), experimentExists, rights, clock });
  const policies = policiesModule({
    ...{ repository: smallStores.policies, directories, stores, log, clock },
    tasks: (id, principal) => jobs.tasks.findMany([id], principal),
    offers: { of: (job) => fleet.offers.of(job) },
    taskStates: (taskId) => events.counts.ofTask(taskId),
    effects: ruleEffects(() => ({ tasks: jobs.taskControl, hosts: hosts.service })),
  });
  const followed = { tasks: stores.taskControl, notices: events, log };
  const suspendedTasks = new SuspendedTasks(followed);
  const limitedTasks = new LimitedTasks(followed);
  const book = new HostBook(smallStores.hosts.directory);
  const fleet: FleetModule = fleetOf(options, {
    ...{ events, directories, consents, secrets, policies, writer, metrics },
    ...{ suspendedTasks, limitedTasks, book },
  });
  const following = { stream: events, consumers: stores.consumers, clock, log };
  const failures = failuresModule(db, { ...following, leader: fleet.leadership });
  const { queues } = directories;
  const judged = { stores, repository: smallStores.hosts, bulk: () => jobs.bulk, book, queues, fleet };
  const hosts = hostsOf(options, { ...following, ...judged });
  const canaries = canariesModule(options, { stores, domain: () => jobs, queues, book, fleet });
  const gates = new FleetGates({ fleets: standing.fleets, notices: events, log });
  const units = unitsOf(options, { events, directories, stores, gates });
  const absent = { waiting: new WaitingInputs(db), graphs, standing };
  const files = filesOf(options, { stores, storedFiles, directories, fleet, absent });
  const pilots = pilotsOf(options, { directories, fleet });
  const datasets = datasetsOf(options, {
    directories,
    stores,
    graphs,
    standing,
    fleet,
    events,
    files,
    absent,
  });
  metrics.watch({ events, writer, leadership: fleet.leadership, hosts: book, units, ...fleet.services });
  const domains = {
    ...{ directories, access, consents, secrets, policies, suspendedTasks, limitedTasks, fleet },
    ...{ failures, hosts, canaries, units, gates, files, pilots, datasets },
  };
  const others = { metrics, events, writer, ...domains };
  const charged = {
    stores,
    graphs,
    standing,
    quota: quotaOf({ stores, held, quotas: config?.quotas, clock, log }),
  };
  const workflows = workflowsOf(options, others, charged);
  const parts = { ...others, workflows, fleets: jobFleetsOf(options, others, charged) };
  const jobs: JobDomain = jobsOf(options, parts, charged);
  return { ...parts, jobs };
}

function hostsOf(
  { db, config }: CoreOptions,
  {
    stores,
    ...judged
  }: Omit<Parameters<typeof hostsModule>[0], 'records' | 'wasted' | 'limits'> & {
    readonly stores: JobStores;
  },
) {
  const records = classRecordStore(db);
  return hostsModule({ ...judged, records, wasted: stores.wasted, limits: config?.hosts });
}

function filesOf(
  { clock, ids, log, config }: CoreOptions,
  {
    stores,
    storedFiles,
    directories: { experiments, queues, storages },
    fleet,
    absent,
  }: Pick<Components, 'directories' | 'fleet'> & {
    readonly stores: JobStores;
    readonly storedFiles: FileStores;
    readonly absent: WaitingSources;
  },
): FilesModule {
  return filesModule({
    ...{ stores, files: storedFiles, storages, fleet, clock, ids, log },
    experimentExists: async (name) => (await experiments.find(name)) !== null,
    ...{ graphs: absent.graphs, siteOf: sitesOfQueues(queues) },
    waitingUserOf: (upload) => waitingUserOfUpload(absent, upload),
    config: config?.files,
  });
}

function pilotsOf(
  { db, clock, ids, config }: CoreOptions,
  { directories, fleet }: Pick<Components, 'directories' | 'fleet'>,
): PilotServices {
  return pilotsModule({
    ...{ stores: pilotStores(db), queues: queueLookup(directories), fleet, clock, ids },
    ownUrl: config?.advertisedUrl,
  });
}

/** True for a share with jobs that have not ended, or in which some may be submitted. */
function hasLiveJobs(
  { jobs }: Pick<JobStores, 'jobs'>,
  workflows: Pick<WorkflowStores['workflows'], 'usesShare'>,
  { fleets }: Pick<JobFleetStores, 'fleets'>,
): (experiment: string, share: string) => Promise<boolean> {
  return async (...share) =>
    (await jobs.hasLive(...share)) || (await workflows.usesShare(...share)) || fleets.usesShare(...share);
}

function accessOf(
  { clock, ids }: CoreOptions,
  stores: JobStores,
  repository: ReturnType<typeof directoryStores>['access'],
  shares: (path: string) => ReturnType<Directories['shares']['byPaths']>,
): AccessGrantsService {
  return new AccessGrantsService({
    repository,
    jobOf: async (id) => (await stores.jobs.find([id], { owner: 1, experiment: 1 }))[0] ?? null,
    taskOf: async (id) => (await stores.tasks.find([id]))[0] ?? null,
    shareOf: async (path) => (await shares(path))[0]?.experiment ?? null,
    clock,
    ids,
  });
}

function workflowsOf(
  { clock, ids, log, config }: CoreOptions,
  {
    events,
    directories,
    access,
    consents,
    secrets,
    writer,
    fleet,
    datasets,
    files,
  }: Omit<Components, 'jobs' | 'workflows' | 'fleets'>,
  { stores, graphs, quota }: Charged,
): WorkflowsModule {
  const { jobs, classes, submissions } = stores;
  return workflowsModule({
    ...{ stores: graphs, jobs, classes, submissions, quota, writer, access, consents },
    ...{ checkSelector, clock, ids, log },
    ...directoriesForJobs(directories, { datasets, files }),
    secrets: secrets.service,
    whyNoWorker: async (requirements, share, priority) => {
      const { scheduler } = fleet.services;
      const facts = await scheduler.explain({ requirements, share, priority });
      return facts.workersThatFit > 0 ? undefined : facts.summary;
    },
    leader: fleet.leadership,
    onWritten: (listener) => events.onWritten('workflows', listener),
    config: config?.workflows,
  });
}

function jobFleetsOf(
  { db, clock, ids, log, config }: CoreOptions,
  {
    directories,
    consents,
    secrets,
    writer,
    fleet,
    units,
    datasets,
    files,
  }: Omit<Components, 'jobs' | 'workflows' | 'fleets'>,
  { stores, standing, quota }: Charged,
): JobFleetsModule {
  const { jobs, classes } = stores;
  return jobFleetsModule({
    ...{ stores: standing, units, unitStores: unitStores(db), jobs, classes, quota, writer, consents },
    ...{ checkSelector, clock, ids, log },
    ...directoriesForJobs(directories, { datasets, files }),
    secrets: secrets.service,
    leader: fleet.leadership,
    config: config?.fleets,
  });
}

function datasetsOf(
  { db, clock, ids, log }: CoreOptions,
  {
    directories: { experiments, storages },
    stores: { tasks, consumers },
    graphs,
    standing,
    fleet,
    events,
    files,
    absent,
  }: Pick<Components, 'directories' | 'fleet' | 'events' | 'files'> &
    Pick<Charged, 'graphs' | 'standing'> & {
      readonly absent: WaitingSources;
      readonly stores: Pick<JobStores, 'tasks' | 'consumers'>;
    },
): DatasetsModule {
  return datasetsModule({
    ...{ stores: datasetStores(db), leader: fleet.leadership, clock, ids, log },
    ...{ stream: events, consumers },
    experimentExists: async (name) => (await experiments.find(name)) !== null,
    experimentNames: async () => (await experiments.all()).map(({ _id }) => _id),
    storages: async (name) => (await storages.allFresh()).filter((one) => serves(one, name)),
    allStorages: () => storages.allFresh(),
    open: (storage) => files.opened.of(storage),
    waiting: waitingUses(absent),
    taskOf: (datasetId, use) => tasks.needsDataset(datasetId, use),
    submitterOf: async (datasetId) => {
      const [nodes, templates] = await Promise.all([
        graphs.nodeJobs.addingTo(datasetId),
        graphs.templates.addingTo(datasetId),
      ]);
      const workflow = await graphs.workflows.unended([...nodes, ...templates]);
      const fleetId = workflow === undefined ? await standing.fleets.addingTo(datasetId) : undefined;
      return workflow === undefined ? fleetId && `fleet ${fleetId}` : `workflow ${workflow}`;
    },
    onReplicas: (datasetId) => tasks.filesChanged(datasetId, clock.now()),
  });
}

/** Experiments and queues as submits need them. */
function directoriesForJobs(
  { experiments, shares, queues, storages }: Directories,
  { datasets, files }: Pick<Components, 'datasets' | 'files'>,
) {
  const { facts, deletedPlaces } = datasets;
  const sources = { experiments, shares, storages, datasets: facts, deletedPlaces };
  return {
    experiments: {
      find: (name: string) => experimentFacts(sources, name, files.uploadUses),
      names: async () => (await experiments.all()).map(({ _id }) => _id),
    },
    queues: queueDirectory(queues),
  };
}

/** Stores of jobs and workflows, and the limits of those that live. */
interface Charged {
  readonly stores: JobStores;
  readonly graphs: WorkflowStores;
  readonly standing: JobFleetStores;
  readonly quota: ReturnType<typeof quotaOf>;
}

function unitsOf(
  { db, clock, ids, log, config }: CoreOptions,
  {
    events,
    directories,
    stores,
    gates,
  }: Pick<Components, 'events' | 'directories' | 'gates'> & { readonly stores: JobStores },
): UnitsModule {
  return unitsModule({
    stores: unitStores(db),
    events,
    gates,
    readAttempts: (jobIds) => stores.jobs.find(jobIds, attemptFields),
    experimentExists: async (name) => (await directories.experiments.find(name)) !== null,
    experimentOfTask: async (id) => (await stores.tasks.find([id]))[0]?.experiment ?? null,
    config: config?.units,
    clock,
    ids,
    log,
  });
}

function eventsOf({ db, clock, ids, log, config }: CoreOptions, readJobs: ReadJobs): EventsService {
  const stores = eventStores(db, [
    'experiments',
    'shares',
    'queues',
    'downtimes',
    'hosts',
    'workPools',
    'workflows',
    'fleets',
    'fleetDecisions',
    'unitCompletions',
    'accessGrants',
    'policies',
    'storages',
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
    limitedTasks,
    book,
  }: Pick<
    Components,
    | 'events'
    | 'directories'
    | 'consents'
    | 'secrets'
    | 'policies'
    | 'writer'
    | 'metrics'
    | 'suspendedTasks'
    | 'limitedTasks'
  > & { readonly book: HostBook },
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
    limitedTasks,
    secrets: secrets.service,
    consents,
    policies: policies.failures,
    hosts: book,
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
  {
    events,
    directories,
    access,
    consents,
    secrets,
    writer,
    suspendedTasks,
    limitedTasks,
    fleet,
    workflows,
    fleets,
    datasets,
    files,
  }: Omit<Components, 'jobs'>,
  { stores, quota }: Charged,
): JobDomain {
  return createJobDomain({
    stores,
    writer,
    ...directoriesForJobs(directories, { datasets, files }),
    files: datasets.taskFiles,
    handlers: [workflows.handler, fleets.handler],
    quota,
    access,
    consents,
    secrets: secrets.service,
    checkSelector,
    stream: events,
    leader: fleet.leadership,
    liveCounts: (taskId) => events.counts.ofTask(taskId),
    offers: fleet.offers,
    // The event stream reports the command, too, if it cannot be read now.
    onTaskCommand: (taskId) =>
      Promise.all([suspendedTasks.refresh([taskId]), limitedTasks.refresh([taskId])]).then(
        () => undefined,
        (err: unknown) => log.warn({ err, taskId }, 'commanded task could not be read'),
      ),
    processId: ids.next('core'),
    rights,
    clock,
    ids,
    log,
    maxLogBytes: config?.maxLogBytes,
  });
}
