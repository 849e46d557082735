/** Resolvers of workers and of their reports: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { connection } from '@rhizome/subgraph';
import type { GraphQLResolveInfo } from 'graphql';
import type { Context } from '../../context.js';
import { isCopy, loadJob } from '../../jobs/graphql/job-loader.js';
import { progressLoader } from '../../jobs/graphql/progress-resolvers.js';
import { maySeeJob } from '../../jobs/model/job-visibility.js';
import { experimentEntity } from '../../experiments/graphql/resolvers.js';
import { queueEntity } from '../../queues/graphql/resolvers.js';
import type { GpuVendor, Resolvers } from '../../types.generated.js';
import { isKnownFromGrant, jobOfGrant } from './granted-job.js';
import { leaseLoader, queueWorkersLoader, workerEntity } from './worker-loader.js';
import type { DeviceUse, WorkerDocument } from '../worker.types.js';
import type { DeviceDocument } from '../../gpus/device.types.js';

type Mutations = Pick<
  NonNullable<Resolvers['Mutation']>,
  | 'registerWorker'
  | 'heartbeat'
  | 'acquireJobs'
  | 'startJobs'
  | 'finishJobs'
  | 'failJobs'
  | 'reportCheckpoints'
  | 'drainWorker'
  | 'reportEndedBatchJobs'
  | 'appendJobLog'
  | 'redeemSecrets'
>;

/** Most jobs shown of a worker. */
const maxJobsShown = 100;

const mutations: Mutations = {
  registerWorker: (_parent, { input }, { core, principal }) => core.fleet.workers.register(principal, input),
  heartbeat: (_parent, { input }, { core, principal }) => core.fleet.workers.heartbeat(principal, input),
  acquireJobs: (_parent, { input }, { core, principal, requestId, signal, isForwarded = false }) =>
    core.fleet.acquire.acquire(input, { principal, requestId, signal, isForwarded }),
  startJobs: (_parent, { input }, { core, principal }) =>
    core.fleet.reports.start(principal, input.workerId, input.jobs),
  finishJobs: (_parent, { input }, { core, principal }) =>
    core.fleet.reports.finish(principal, input.workerId, input.jobs),
  failJobs: (_parent, { input }, { core, principal }) =>
    core.fleet.reports.fail(principal, input.workerId, input.jobs),
  reportCheckpoints: (_parent, { input }, { core, principal }) =>
    core.fleet.reports.checkpoint(principal, input.workerId, input.jobs),
  drainWorker: (_parent, { input }, { core, principal }) => core.fleet.workers.drain(principal, input),
  reportEndedBatchJobs: (_parent, { input }, { core, principal }) =>
    core.fleet.ends.endBatchJobs(principal, input),
  redeemSecrets: (_parent, { input }, { core, principal }) =>
    core.fleet.secretDelivery.deliver(principal, input),
  appendJobLog: async (_parent, { input }, { core, principal }) => {
    const held = await core.fleet.holder.attemptOf(principal, input);
    if ('code' in held) return { nextSequence: null, userErrors: [held] };
    const outcome = await core.jobLogs.append(input.jobId, held.attempt, input.chunks);
    if ('nextSequence' in outcome) return { nextSequence: outcome.nextSequence, userErrors: [] };
    const { refusal, path, message } = outcome;
    return { nextSequence: null, userErrors: [{ code: refusal, path, message }] };
  },
};

async function leaseOf({ _id }: WorkerDocument, { loaders }: Context) {
  return loaders.load(leaseLoader, _id);
}

/** Reported use of the device, from the latest report of its worker. */
async function useOf(
  { id, workerId }: DeviceDocument & { readonly workerId: string },
  { loaders }: Context,
): Promise<DeviceUse | undefined> {
  const lease = await loaders.load(leaseLoader, workerId);
  return lease?.deviceUse?.find((use) => use.id === id);
}

/** Jobs that a worker holds and that the caller may read. */
async function jobsOf({ _id }: WorkerDocument, _args: object, context: Context, info: GraphQLResolveInfo) {
  const ids = [...context.core.fleet.cache.ledger.jobsOf(_id)].slice(0, maxJobsShown);
  const found = await Promise.all(ids.map((id) => loadJob(id, context, info)));
  return found.filter((job) => job !== null);
}

const worker: NonNullable<Resolvers['Worker']> = {
  __resolveReference: workerEntity.resolveReference,
  id: ({ _id }) => _id,
  queue: async ({ queueId }, _args, { loaders }) => {
    const queue = await loaders.load(queueEntity.loader, { id: queueId });
    if (queue) return queue;
    throw new DomainError(
      'QUEUE_NOT_FOUND',
      `Queue ${JSON.stringify(queueId)} not found, or you may not see it.`,
      {
        value: queueId,
      },
    );
  },
  devices: ({ _id, devices }) => devices.map((device) => ({ ...device, workerId: _id })),
  jobs: jobsOf,
  jobCount: ({ _id }, _args, { core }) => core.fleet.cache.ledger.jobsOf(_id).size,
  free: ({ _id, hardware, state }, _args, { core }) => {
    if (state !== 'READY' && state !== 'DRAINING') return { cores: 0, memoryMiB: 0, diskMiB: 0 };
    const used = core.fleet.cache.ledger.workerUse(_id);
    return {
      cores: Math.max(0, hardware.cores - used.cores),
      memoryMiB: Math.max(0, hardware.memoryMiB - used.memoryMiB),
      diskMiB: Math.max(0, hardware.diskMiB - used.diskMiB),
    };
  },
  registeredAt: ({ createdAt }) => createdAt,
  lastSeenAt: async (parent, _args, context) =>
    parent.lastSeenAt ?? (await leaseOf(parent, context))?.updatedAt ?? parent.updatedAt,
  leaseExpiresAt: async (parent, _args, context) =>
    parent.leaseExpiresAt ?? (await leaseOf(parent, context))?.expiresAt ?? parent.updatedAt,
};

/** Resolvers of this folder's SDL, of `Queue.workers` and of `workerCommands`. */
export const workerResolvers: Pick<
  Resolvers,
  | 'Query'
  | 'Mutation'
  | 'Subscription'
  | 'Worker'
  | 'WorkerConnection'
  | 'WorkerHardware'
  | 'Device'
  | 'JobAssignment'
  | 'Queue'
  | 'HeldAttempt'
> = {
  Query: {
    heldAttempt: (_parent, attempt, { core, principal }) =>
      core.fleet.secretDelivery.withToken(principal, attempt),
    worker: (_parent, { id }, { loaders }) => loaders.load(workerEntity.loader, id),
    workers: (_parent, { filter, first, after }, { core, principal }) =>
      core.fleet.workerDirectory.page(principal, filter ?? {}, { first: first ?? 20, after }),
  },
  HeldAttempt: {
    number: ({ attempt }) => attempt,
    owner: ({ owner: subject }) => ({ subject }),
    submittedAt: ({ createdAt }) => createdAt,
    experiment: async ({ experiment }, _args, { loaders }) => {
      const found = await loaders.load(experimentEntity.loader, experiment);
      if (found) return found;
      throw new Error(`experiment ${experiment} of a held job was not found`);
    },
  },
  Mutation: mutations,
  Subscription: {
    workerCommands: {
      subscribe: (_parent, { workerId }, { core, principal }) =>
        core.fleet.workers.commands(principal, workerId),
      resolve: (message: unknown) => message,
    } as NonNullable<Resolvers['Subscription']>['workerCommands'],
  },
  Worker: worker,
  WorkerConnection: connection,
  WorkerHardware: {
    hasNetwork: ({ network }) => network ?? null,
    isolation: ({ isolation }) => isolation ?? [],
    isNetworkIsolated: ({ networkIsolation }) => networkIsolation ?? false,
    hasSystemCallFilter: ({ systemCallFilter }) => systemCallFilter ?? false,
    processContainment: ({ processContainment }) => processContainment ?? [],
  },
  Device: {
    // Registration accepts no other vendor.
    vendor: ({ vendor }) => vendor as GpuVendor,
    isEccEnabled: ({ eccEnabled }) => eccEnabled ?? null,
    utilisation: async (parent, _args, context) => (await useOf(parent, context))?.utilisation ?? null,
    memoryUsedMiB: async (parent, _args, context) => (await useOf(parent, context))?.memoryUsedMiB ?? null,
    sources: ({ sources }) => sources ?? null,
    usedShare: ({ id, workerId }, _args, { core }) =>
      core.fleet.cache.ledger.deviceUse(workerId, id).thousandths,
    job: async ({ id, workerId }, _args, context, info) => {
      const jobId = await context.core.fleet.workerDirectory.deviceHolder(workerId, id);
      return jobId === undefined ? null : loadJob(jobId, context, info);
    },
  },
  JobAssignment: {
    checkpoints: async ({ jobId, attempt }, _args, context) =>
      attempt > 1 || (await isCopy(jobId, context))
        ? ((await context.loaders.load(progressLoader, jobId))?.checkpoints ?? [])
        : [],
    job: async ({ job: granted, ...grant }, _args, context, info) => {
      const { jobId } = grant;
      const known = granted && isKnownFromGrant(info) ? jobOfGrant(grant, granted) : undefined;
      const isRefused = known && !maySeeJob(context.principal, known);
      const job = isRefused ? null : (known ?? (await loadJob(jobId, context, info)));
      if (!job)
        throw new DomainError(
          'JOB_NOT_FOUND',
          `Job ${JSON.stringify(jobId)} not found, or you may not see it.`,
          {
            value: jobId,
          },
        );
      // The outputs of a payload that was read here spare the report of the job's end a read.
      const { payload } = job as Partial<typeof job>;
      if (payload) context.core.fleet.cache.ledger.recordOutputs(jobId, payload.outputs);
      return job;
    },
  },
  Queue: {
    workers: async ({ name }, { first, after }, { loaders }: Context) => {
      const page = await loaders.load(queueWorkersLoader, { queue: name, first: first ?? 20, after });
      if (page) return page;
      throw new Error(`workers of queue ${name} were not read`);
    },
  },
};

/**
 * Access rules of the root fields. The services check who may act for the workers of a queue: see
 * `worker-access.ts`.
 */
export const workerPolicies: Policies = {
  'Query.worker': { action: 'worker:read' },
  'Query.workers': { action: 'worker:read' },
  'Worker.__resolveReference': { action: 'worker:read' },
  'Mutation.registerWorker': { action: 'worker:register' },
  'Mutation.heartbeat': { action: 'worker:heartbeat' },
  'Mutation.acquireJobs': { action: 'job:acquire' },
  'Mutation.startJobs': { action: 'job:report' },
  'Mutation.finishJobs': { action: 'job:report' },
  'Mutation.failJobs': { action: 'job:report' },
  'Mutation.reportCheckpoints': { action: 'job:report' },
  'Mutation.drainWorker': { action: 'worker:drain' },
  'Mutation.reportEndedBatchJobs': { action: 'worker:drain' },
  'Mutation.appendJobLog': { action: 'jobLog:append' },
  'Mutation.redeemSecrets': { action: 'secret:redeem' },
  'Query.heldAttempt': { action: 'secret:redeem', perPrincipal: true },
  'Subscription.workerCommands': { action: 'worker:heartbeat', perPrincipal: true },
};
