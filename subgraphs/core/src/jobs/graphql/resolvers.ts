/** Resolvers of jobs: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { connection, reference } from '@rhizome/subgraph';
import type { GraphQLResolveInfo } from 'graphql';
import type { Context } from '../../context.js';
import { queueEntity } from '../../queues/graphql/resolvers.js';
import { shareOf, shareOfPolicy } from '../../shares/graphql/resolvers.js';
import { taskOfJob } from '../../tasks/graphql/task-loader.js';
import { fleetOfJob } from '../../fleets/graphql/fleet-loader.js';
import { nodeOfJob } from '../../workflows/graphql/workflow-loader.js';
import type { Resolvers } from '../../types.generated.js';
import { workerEntity } from '../../workers/graphql/worker-loader.js';
import { changeJobs, refusalCounts } from './bulk-mutations.js';
import { retryChangesOf } from './retry-changes-input.js';
import { experimentNamed } from './experiment-of.js';
import { gpuRequirementOf } from './gpu-requirement.js';
import { jobProjection } from './job-fields.js';
import {
  explanationCaller,
  jobLogLoader,
  jobReference,
  loadJob,
  loadJobs,
  loadParents,
  pendingLoader,
} from './job-loader.js';
import { progressFields } from './progress-resolvers.js';
import { defaultKeptCheckpoints } from '../checkpoints/kept-checkpoints.js';
import { jobStates } from '../model/job-state.js';
import { assertMayReadLog } from '../model/job-visibility.js';
import type { JobDocument, StoredAttempt } from '../model/job.types.js';
import {
  type Continuity,
  defaultContinuity,
  effectiveContinuity,
  onDisconnectOf,
} from '../../shared/continuity.js';

type Mutations = Pick<
  NonNullable<Resolvers['Mutation']>,
  'submitJobs' | 'cancelJobs' | 'retryJobs' | 'holdJobs' | 'releaseJobs' | 'setJobPriority'
>;

const mutations: Mutations = {
  submitJobs: (_parent, { input }, { core, principal }) => core.submits.submit(principal, input),
  cancelJobs: (_parent, { input }, context) =>
    changeJobs(context, 'CANCEL', input, { reason: input.reason ?? undefined }),
  retryJobs: async (_parent, { input }, context) => {
    const { result, userErrors } = await changeJobs(context, 'RETRY', input, {
      includeDependents: input.isWithDependents ?? false,
      unlessRetried: input.isUnlessRetried ?? false,
      changes: retryChangesOf(input.changes),
      withCheckpoints: input.isWithCheckpoints ?? undefined,
    });
    return { jobIds: result?.changedIds ?? [], result, userErrors };
  },
  holdJobs: (_parent, { input }, context) => changeJobs(context, 'HOLD', input, { reason: input.reason }),
  releaseJobs: (_parent, { input }, context) => changeJobs(context, 'RELEASE', input, {}),
  setJobPriority: (_parent, { input }, context) =>
    changeJobs(context, 'SET_PRIORITY', input, { priority: input.priority }),
};

const job: NonNullable<Resolvers['Job']> = {
  __resolveReference: ((
    representation: { readonly id: string },
    context: Context,
    info: GraphQLResolveInfo,
  ) => loadJob(String(representation.id), context, info)) as NonNullable<
    Resolvers['Job']
  >['__resolveReference'],
  id: ({ _id }) => _id,
  experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
  owner: ({ owner: subject }) => ({ subject }),
  submittedBy: ({ submittedBy, owner }) => ({ subject: submittedBy ?? owner }),
  task: taskOfJob as NonNullable<Resolvers['Job']>['task'],
  taskId: ({ taskId }) => taskId ?? null,
  workflowNode: nodeOfJob,
  workflowId: ({ workflow }) => workflow?.id ?? null,
  workflowIndex: ({ workflow }) => workflow?.node ?? null,
  fleet: fleetOfJob,
  share: shareOf,
  sharePath: ({ share }) => share,
  requirements: ({
    requirements: { network, gpu, queue, preemptible, preferences, ...requirements },
    classId,
  }) => ({
    ...requirements,
    preferences: preferences ?? [],
    queueName: queue ?? null,
    isNetworkRequired: network,
    gpu: gpu === undefined ? null : gpuRequirementOf(gpu),
    isPreemptible: preemptible ?? false,
    classId,
  }),
  payload: (parent) => ({ ...parent.payload, job: parent }),
  continuity: ({ requirements: { continuity } }) => shownContinuity(effectiveContinuity(continuity)),
  dependsOn: (parent, _args, context, info) => loadParents(parent, context, info),
  worker: reference({ loader: workerEntity.loader, key: ({ workerId }: JobDocument) => workerId }),
  workerId: ({ workerId }) => workerId ?? null,
  queue: reference({
    loader: queueEntity.loader,
    key: ({ queueId }: JobDocument) => (queueId === undefined ? null : { id: queueId }),
  }),
  log: async (parent, { attempt, after, first }, { loaders, principal }: Context) => {
    assertMayReadLog(principal, parent, attempt ?? parent.attempt);
    const request = { attempt, after, first: first ?? 100 };
    const page = await loaders.load(jobLogLoader, { job: parent, request });
    if (page) return page;
    throw new Error(`the log of ${parent._id} was not read`);
  },
  stateTimes: ({ stateTimes }) =>
    jobStates.flatMap((state) => {
      const at = stateTimes[state];
      return at ? [{ state, at }] : [];
    }),
  retryOf: jobReference(({ retryOf }: JobDocument) => retryOf),
  retriedBy: jobReference(({ retriedBy }: JobDocument) => retriedBy),
  pending: (parent, _args, { loaders }) => loaders.load(pendingLoader, parent),
  viewerCanCancel: (parent, _args, { core, principal }) => core.jobs.canCancel(principal, parent),
  ...progressFields,
};

/** Resolvers of this folder's SDL; counts are resolved in `events`. */
export const jobResolvers: Pick<
  Resolvers,
  | 'Query'
  | 'Mutation'
  | 'Job'
  | 'JobConnection'
  | 'JobError'
  | 'JobHold'
  | 'JobTransition'
  | 'FileReference'
  | 'JobPayload'
  | 'JobRequirements'
  | 'JobAttempt'
  | 'BulkOperation'
  | 'BulkResult'
  | 'SubmitJobsPayload'
  | 'RetryJobsPayload'
> = {
  Query: {
    job: (_parent, { id }, context, info) => loadJob(id, context, info),
    jobs: (_parent, { filter, order, first, after }, { core, principal }, info) => {
      const projection = jobProjection(info, ['nodes'], ['edges', 'node']);
      return core.jobs.page(principal, filter, {
        order: order ?? 'NEWEST',
        first: first ?? 20,
        after,
        projection,
      });
    },
    explainRequirements: (_parent, { input }, context) =>
      context.core.explain(context.principal, input, explanationCaller(context)),
    bulkOperation: (_parent, { id }, { core, principal }) => core.bulk.operation(principal, id),
  },
  Mutation: mutations,
  Job: job,
  JobConnection: connection,
  JobError: { isRetryable: ({ retryable }) => retryable },
  JobTransition: { actor: ({ actor: subject }) => ({ subject }) },
  JobHold: { by: ({ by: subject }) => ({ subject }) },
  FileReference: {
    otherLocations: ({ otherLocations }) => otherLocations ?? [],
    sizeBytes: ({ sizeBytes }) => sizeBytes ?? null,
    checksums: ({ checksums }) => checksums ?? [],
  },
  JobPayload: {
    environment: ({ environment, job: of }, _args, { core, principal }) =>
      core.jobs.maySeeEnvironment(principal, of) ? environment : null,
    isTokenRequired: ({ token }) => token ?? false,
    uploadId: ({ uploadId }) => uploadId ?? null,
    keepOnFailure: ({ keepOnFailure }) => keepOnFailure ?? [],
    notice: ({ notice }) => notice ?? null,
    nodeInputs: ({ nodeInputs }) =>
      (nodeInputs?.files ?? []).map(({ node, label, isOptional, ...file }) => ({
        ...{ node: node ?? null, label: label ?? null, isOptional: isOptional ?? false },
        ...file,
      })),
    keptCheckpoints: ({ keptCheckpoints }) => keptCheckpoints ?? defaultKeptCheckpoints,
    outputDatasets: ({ outputDatasets }) => outputDatasets ?? [],
    secrets: ({ secrets }) => (secrets ?? []).map(({ id, ...secret }) => ({ secretId: id, ...secret })),
  },
  JobRequirements: {
    queue: reference({
      loader: queueEntity.loader,
      key: ({ queueName }: { readonly queueName?: string | null | undefined }) =>
        queueName == null ? null : { name: queueName },
    }),
  },
  JobAttempt: {
    worker: reference({ loader: workerEntity.loader, key: ({ workerId }: StoredAttempt) => workerId }),
    queue: reference({ loader: queueEntity.loader, key: ({ queueId }: StoredAttempt) => ({ id: queueId }) }),
    site: ({ site: name }) => (name === undefined ? null : { name }),
    continuity: ({ continuity }) => shownContinuity(continuity ?? defaultContinuity),
    unreachableSince: async ({ unreachable, endedAt, workerId }, _args, { loaders }) => {
      if (unreachable || endedAt) return unreachable?.since ?? null;
      return (await loaders.load(workerEntity.loader, workerId))?.unreachableSince ?? null;
    },
    lostSeconds: ({ lostSeconds }) => lostSeconds ?? null,
    isHostTest: ({ uncounted }) => uncounted === 'HOST_TEST',
    preferenceScore: ({ preference }) => preference?.score ?? null,
    metPreferences: ({ preference }) => preference?.met ?? [],
    isGivenBack: ({ uncounted }) => uncounted === 'BAD_HOST',
    memoryLimit: ({ memoryLimit }) => memoryLimit ?? null,
    preemption: ({ preemption }) => preemption ?? null,
    keptOutputs: ({ keptOutputs }) => keptOutputs ?? [],
  },
  BulkOperation: {
    id: ({ _id }) => _id,
    requestedBy: ({ requester: { subject } }) => ({ subject }),
    refusedByReason: ({ refusedByReason }) => refusalCounts(refusedByReason),
  },
  BulkResult: { refusedByReason: ({ refusedByReason }) => refusalCounts(refusedByReason) },
  SubmitJobsPayload: {
    jobs: async ({ jobs }, _args, context, info) =>
      Promise.all(
        jobs.map((entry) => (entry === null || 'state' in entry ? entry : loadJob(entry._id, context, info))),
      ),
    userErrors: ({ refusals }) => refusals,
    omittedErrorCount: ({ omitted }) => omitted,
  },
  RetryJobsPayload: {
    jobs: ({ jobIds }, _args, context, info) => loadJobs(jobIds, context, info),
  },
};

function shownContinuity(times: Continuity) {
  return { onDisconnect: onDisconnectOf(times), ...times };
}

type InputOf<T> = { readonly input: T };

/** Access policies of the root fields of jobs. The services limit which jobs of others a caller sees. */
export const jobPolicies: Policies = {
  'Query.job': { action: 'job:read', attempts: true },
  'Query.jobs': { action: 'job:read' },
  'Query.explainRequirements': {
    action: 'share:read',
    experiment: ({ args }) => (args as InputOf<{ experiment: string }>).input.experiment,
  },
  'Query.bulkOperation': { action: 'job:read', perPrincipal: true },
  'Mutation.submitJobs': {
    action: 'job:submit',
    experiment: ({ args }) => (args as InputOf<{ experiment: string }>).input.experiment,
  },
  'Mutation.cancelJobs': { action: 'job:cancel' },
  'Mutation.retryJobs': { action: 'job:retry' },
  'Mutation.holdJobs': { action: 'job:hold' },
  'Mutation.releaseJobs': { action: 'job:hold' },
  'Mutation.setJobPriority': { action: 'job:setPriority' },
  'Job.__resolveReference': { action: 'job:read' },
  'Job.share': shareOfPolicy,
  'JobPayload.environment': {
    open: 'null for those who may not read it',
    perPrincipal: true,
    attempts: true,
  },
  'Job.viewerCanCancel': { open: 'own permission of the caller', perPrincipal: true },
};
