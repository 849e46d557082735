/** Core, assembled from its components. Opens no socket, and does nothing before `start`. */
import type { Policies } from '@rhizome/authz';
import { buildSubgraph, type SubgraphSchema } from '@rhizome/subgraph';
import type { Context } from './context.js';
import type { CoreMetrics } from './composition/core-metrics.js';
import { diagnosisResolvers } from './diagnosis/graphql/resolvers.js';
import { errorPolicies, errorResolvers } from './events/graphql/error-resolvers.js';
import { workflowStreamPolicies, workflowStreamResolvers } from './events/graphql/workflow-resolvers.js';
import { unitStreamPolicies, unitStreamResolvers } from './events/graphql/unit-resolvers.js';
import { eventPolicies, eventResolvers } from './events/graphql/resolvers.js';
import { accessPolicies, accessResolvers } from './access/graphql/resolvers.js';
import { consentPolicies, consentResolvers } from './consents/graphql/resolvers.js';
import { secretPolicies, secretResolvers } from './secrets/graphql/resolvers.js';
import { experimentPolicies, experimentResolvers } from './experiments/graphql/resolvers.js';
import { hardwarePolicies, hardwareResolvers } from './hardware/graphql/resolvers.js';
import { gpuPolicies, gpuResolvers } from './gpus/graphql/resolvers.js';
import { checkpointResolvers } from './jobs/graphql/progress-resolvers.js';
import { jobPolicies, jobResolvers } from './jobs/graphql/resolvers.js';
import { canaryResolvers } from './queues/graphql/canary-resolvers.js';
import { downtimePolicies, downtimeResolvers } from './queues/graphql/downtime-resolvers.js';
import { deletionPolicies, deletionResolvers } from './datasets/graphql/deletion-resolvers.js';
import { policyPolicies, policyResolvers } from './policies/graphql/resolvers.js';
import { queuePolicies, queueResolvers } from './queues/graphql/resolvers.js';
import { sharePolicies, shareResolvers } from './shares/graphql/resolvers.js';
import { storagePolicies, storageResolvers } from './storages/graphql/resolvers.js';
import { datasetPolicies, datasetResolvers } from './datasets/graphql/resolvers.js';
import { filePolicies, fileResolvers } from './files/graphql/resolvers.js';
import { uploadPolicies, uploadResolvers } from './files/graphql/upload-resolvers.js';
import { taskPolicies, taskResolvers } from './tasks/graphql/resolvers.js';
import { scoutPolicies, scoutResolvers } from './tasks/graphql/scout-resolvers.js';
import { taskChangePolicies, taskChangeResolvers } from './tasks/graphql/change-resolvers.js';
import { typeDefs } from './typeDefs.generated.js';
import { unitPolicies, unitResolvers } from './units/graphql/resolvers.js';
import { fleetPolicies, fleetResolvers } from './fleets/graphql/resolvers.js';
import { fleetStreamPolicies, fleetStreamResolvers } from './events/graphql/fleet-resolvers.js';
import { pilotPolicies, pilotResolvers } from './pilots/graphql/resolvers.js';
import { workflowPolicies, workflowResolvers } from './workflows/graphql/resolvers.js';
import { viewerPolicies, viewerResolvers } from './viewer/graphql/resolvers.js';
import { hostPolicies, hostResolvers } from './workers/graphql/host-resolvers.js';
import { leaseClockPolicies, leaseClockResolvers } from './workers/graphql/lease-clock-resolvers.js';
import { workerPolicies, workerResolvers } from './workers/graphql/resolvers.js';
import type { CoreOptions } from './composition/core-config.js';
import { createComponents } from './composition/components.js';
import { servicesOf } from './composition/core-services.js';
import { Lifecycle } from './composition/lifecycle.js';

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
  ...storagePolicies,
  ...datasetPolicies,
  ...deletionPolicies,
  ...queuePolicies,
  ...downtimePolicies,
  ...policyPolicies,
  ...viewerPolicies,
  ...eventPolicies,
  ...errorPolicies,
  ...jobPolicies,
  ...taskPolicies,
  ...scoutPolicies,
  ...taskChangePolicies,
  ...unitPolicies,
  ...unitStreamPolicies,
  ...workflowPolicies,
  ...workflowStreamPolicies,
  ...fleetPolicies,
  ...fleetStreamPolicies,
  ...pilotPolicies,
  ...workerPolicies,
  ...filePolicies,
  ...uploadPolicies,
  ...leaseClockPolicies,
  ...hostPolicies,
  ...gpuPolicies,
  ...hardwarePolicies,
};

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
      storageResolvers,
      datasetResolvers,
      deletionResolvers,
      queueResolvers,
      canaryResolvers,
      downtimeResolvers,
      policyResolvers,
      viewerResolvers,
      eventResolvers,
      errorResolvers,
      jobResolvers,
      checkpointResolvers,
      diagnosisResolvers,
      taskResolvers,
      scoutResolvers,
      taskChangeResolvers,
      unitResolvers,
      unitStreamResolvers,
      workflowResolvers,
      workflowStreamResolvers,
      fleetResolvers,
      fleetStreamResolvers,
      pilotResolvers,
      workerResolvers,
      fileResolvers,
      uploadResolvers,
      leaseClockResolvers,
      hostResolvers,
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
