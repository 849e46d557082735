/** For tests: each operation of core, and what each of several callers may do with it. */
import type { Principal } from '@rhizome/authz';
import { testPrincipal } from '@rhizome/testkit';
import { free, human, registration, type World } from './access.fixture.js';
import { pilotOf } from './core.fixture.js';

/** Callers. All requested entities belong to alpha and are in queue "north". */
export const callers: Readonly<Record<string, Principal>> = {
  'PILOT of another queue': pilotOf('south'),
  'PILOT of this queue': pilotOf('north'),
  'READER of another experiment': human('reader', { beta: 'READER' }),
  'ADMIN of another experiment': human('stranger', { beta: 'ADMIN' }),
  'SERVICE of another experiment': testPrincipal({
    kind: 'SERVICE',
    subject: 'experiment:beta',
    grants: { beta: 'SERVICE' },
  }),
  'AGENT of an ADMIN of this experiment': testPrincipal({
    kind: 'AGENT',
    subject: 'agent',
    actsFor: 'admin@example',
    grants: { alpha: 'ADMIN' },
  }),
};

/** Operation: request, whether the answer shows or changes entities of alpha, and the expected results. */
export interface Row {
  readonly text: string;
  readonly variables?: (world: World, caller: string) => object;
  /**
   * Returns true if the caller got what it requested; by default, if the first field is neither null nor an
   * empty list.
   */
  readonly got?: (answer: never) => unknown;
  /** One letter per entry of {@link callers}, in order: r(efused), e(mpty), a(llowed). */
  readonly outcomes: string;
}

const isPilotOfThis = (caller: string): boolean => caller === 'PILOT of this queue';
const input = (text: string): string =>
  `mutation ($input: ${text[0]?.toUpperCase()}${text.slice(1)}Input!) { ${text}(input: $input)`;
const spoke = `{ userErrors { code message } }`;
interface Reported {
  readonly [field: string]: { readonly userErrors: readonly { readonly code: string }[] };
}
/** Reports count as accepted, whatever their result, unless the worker is one that does not exist. */
const workerReport = (field: string, variables: NonNullable<Row['variables']>): Row => ({
  text: `${input(field)} ${spoke} }`,
  variables: (world, caller) => ({ input: variables(world, caller) }),
  got: (answer: Reported) => answer[field]?.userErrors.every(({ code }) => code !== 'WORKER_NOT_FOUND'),
  outcomes: field === 'registerWorker' ? 'r a r r r r' : 'e a r r r r',
});
/** The fence is wrong only for the worker's own pilot: a correct guess must not help a stranger. */
const held = ({ jobId, fence }: World, caller: string): { id: string; fence: number } => ({
  id: jobId,
  fence: isPilotOfThis(caller) ? fence + 1 : fence,
});
const change = (field: string, outcomes: string, more: object = {}): Row => ({
  text: `${input(field)} { result { changedCount } userErrors { code } } }`,
  variables: ({ waitingId }, caller) => ({
    input: {
      selection: { ids: [waitingId] },
      ...(field === 'retryJobs' ? { idempotencyKey: caller } : {}),
      ...more,
    },
  }),
  got: (answer: { [field: string]: { result: { changedCount: number } } }) =>
    answer[field]?.result.changedCount === 1,
  outcomes,
});
const entity = (type: string, key: (world: World) => object, fields: string, outcomes: string): Row => ({
  text: `query ($of: [_Any!]!) { _entities(representations: $of) { ... on ${type} { ${fields} } } }`,
  variables: (world) => ({ of: [{ __typename: type, ...key(world) }] }),
  got: (answer: { _entities: unknown[] }) => answer._entities[0],
  outcomes,
});

/** All operations of core. */
export const rows: Readonly<Record<string, Row>> = {
  'Query.experiment': { text: '{ experiment(name: "alpha") { name } }', outcomes: 'r r e e e a' },
  'Query.experiments': {
    text: '{ experiments { nodes { name } } }',
    got: ({ experiments }: { experiments: { nodes: { name: string }[] } }) =>
      experiments.nodes.some(({ name }) => name === 'alpha'),
    outcomes: 'r r e e e a',
  },
  'Query.shares': {
    text: '{ shares(experiment: "alpha") { nodes { path } } }',
    got: ({ shares }: { shares: { nodes: unknown[] } }) => shares.nodes.length > 0,
    outcomes: 'r r e e e a',
  },
  'Query.queue': { text: '{ queue(name: "north") { name } }', outcomes: 'a a a a a a' },
  'Query.queues': {
    text: '{ queues(filter: { names: ["north"] }) { nodes { name } } }',
    outcomes: 'a a a a a a',
  },
  'Query.viewer': { text: '{ viewer { subject } }', outcomes: 'a a a a a a' },
  'Query.jobCounts': {
    text: '{ jobCounts { experimentName queueName count } }',
    got: ({ jobCounts }: { jobCounts: { experimentName: string; queueName: string | null }[] }) =>
      jobCounts.some(({ experimentName, queueName }) => experimentName === 'alpha' && queueName !== 'south'),
    outcomes: 'e a e e e a',
  },
  'Query.gpuModels': { text: '{ gpuModels { name } }', outcomes: 'a a a a a a' },
  'Query.gpuModel': { text: '{ gpuModel(name: "T4") { name } }', outcomes: 'a a a a a a' },
  'Query.cudaReleases': { text: '{ cudaReleases { version } }', outcomes: 'a a a a a a' },
  'Query.explainRequirements': {
    text: '{ explainRequirements(input: { experiment: "alpha" }) { pending { summary } userErrors { message } } }',
    outcomes: 'r r r r r a',
  },
  'Query.job': {
    text: 'query ($id: ID!) { job(id: $id) { id } }',
    variables: ({ jobId }) => ({ id: jobId }),
    outcomes: 'e a e e e a',
  },
  'Query.jobs': {
    text: 'query ($ids: [ID!]) { jobs(filter: { ids: $ids }) { nodes { id } } }',
    variables: ({ jobId, waitingId }) => ({ ids: [jobId, waitingId] }),
    got: ({ jobs }: { jobs: { nodes: unknown[] } }) => jobs.nodes.length > 0,
    outcomes: 'e a e e e a',
  },
  'Query.bulkOperation': {
    text: 'query ($id: ID!) { bulkOperation(id: $id) { id } }',
    variables: ({ operationId }) => ({ id: operationId }),
    outcomes: 'e e e e e e',
  },
  'Query.task': {
    text: 'query ($id: ID!) { task(id: $id) { id } }',
    variables: ({ taskId }) => ({ id: taskId }),
    outcomes: 'r r e e e a',
  },
  'Query.tasks': {
    text: '{ tasks { nodes { id } } }',
    got: ({ tasks }: { tasks: { nodes: unknown[] } }) => tasks.nodes.length > 0,
    outcomes: 'r r e e e a',
  },
  // The queue admits every experiment: everyone may see its workers.
  'Query.worker': {
    text: 'query ($id: ID!) { worker(id: $id) { id } }',
    variables: ({ workerId }) => ({ id: workerId }),
    outcomes: 'a a a a a a',
  },
  'Query.workers': {
    text: '{ workers(filter: { queues: ["north"] }) { nodes { id } } }',
    got: ({ workers }: { workers: { nodes: unknown[] } }) => workers.nodes.length > 0,
    outcomes: 'a a a a a a',
  },
  'Query.hardwareMap': {
    text: '{ hardwareMap { sites { site { name } } } }',
    outcomes: 'a a a a a a',
  },
  'Query.hardwareExport': {
    text: '{ hardwareExport(queues: ["north"]) { name } }',
    outcomes: 'a a a a a a',
  },
  'Mutation.allowSubmissionOnBehalf': {
    text: `${input('allowSubmissionOnBehalf')} { consent { experimentName } } }`,
    variables: () => ({ input: { experiment: 'alpha' } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.withdrawSubmissionConsent': {
    text: `${input('withdrawSubmissionConsent')} { isWithdrawn } }`,
    variables: () => ({ input: { experiment: 'alpha' } }),
    got: ({ withdrawSubmissionConsent }: { withdrawSubmissionConsent: { isWithdrawn: boolean } }) =>
      withdrawSubmissionConsent.isWithdrawn,
    outcomes: 'r r e e r r',
  },
  'Query.jobAccess': {
    text: '{ jobAccess { nodes { id } } }',
    got: ({ jobAccess }: { jobAccess: { nodes: unknown[] } }) => jobAccess.nodes.length > 0,
    outcomes: 'e e e e e e',
  },
  'Mutation.grantJobAccess': {
    text: `${input('grantJobAccess')} { access { id } } }`,
    variables: () => ({ input: { experiment: 'alpha', grantee: { subject: 'x@example' }, level: 'READ' } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.revokeJobAccess': {
    text: `${input('revokeJobAccess')} { access { id } } }`,
    variables: () => ({ input: { id: 'access_nowhere' } }),
    got: ({ revokeJobAccess }: { revokeJobAccess: { access: object | null } }) => revokeJobAccess.access,
    outcomes: 'e e e e e e',
  },
  'Viewer.submissionConsents': {
    text: '{ viewer { submissionConsents { experimentName } } }',
    got: ({ viewer }: { viewer: { submissionConsents: unknown[] } }) => viewer.submissionConsents.length > 0,
    outcomes: 'e e e e e e',
  },
  'Query.secret': { text: '{ secret(id: "secret_nowhere") { id } }', outcomes: 'r r r e e r' },
  // Their own, of which they have none; a pilot and an agent have no secrets.
  'Query.secrets': {
    text: '{ secrets { nodes { id } } }',
    got: ({ secrets }: { secrets: { nodes: unknown[] } }) => secrets.nodes.length > 0,
    outcomes: 'r r r e e r',
  },
  'Mutation.createSecret': {
    text: `${input('createSecret')} { secret { id } } }`,
    variables: () => ({ input: { name: 'x', value: '12345678', experiment: 'alpha' } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.rotateSecret': {
    text: `${input('rotateSecret')} { secret { id } } }`,
    variables: () => ({ input: { id: 'secret_nowhere', value: '12345678' } }),
    got: ({ rotateSecret }: { rotateSecret: { secret: unknown } }) => rotateSecret.secret,
    outcomes: 'r r r e e r',
  },
  'Mutation.deleteSecret': {
    text: `${input('deleteSecret')} { isDeleted } }`,
    variables: () => ({ input: { id: 'secret_nowhere' } }),
    got: ({ deleteSecret }: { deleteSecret: { isDeleted: boolean } }) => deleteSecret.isDeleted,
    outcomes: 'r r r e e r',
  },
  'Mutation.registerExperiment': {
    text: `${input('registerExperiment')} { experiment { name } } }`,
    variables: () => ({ input: { name: 'alpha', title: 'Ours now' } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.updateExperiment': {
    text: `${input('updateExperiment')} { experiment { name } } }`,
    variables: () => ({ input: { name: 'alpha', title: 'Ours now' } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.setShares': {
    text: `${input('setShares')} { shares { path } } }`,
    variables: () => ({ input: { experiment: 'alpha', shares: [{ leaf: 'default', nominalCores: 1 }] } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.createQueue': {
    text: `${input('createQueue')} { queue { name } } }`,
    variables: () => ({ input: { name: 'fresh', site: 'Pole' } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.updateQueue': {
    text: `${input('updateQueue')} { queue { name } } }`,
    variables: () => ({ input: { name: 'north', site: 'Elsewhere' } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.setQueueState': {
    text: `${input('setQueueState')} { queue { name } } }`,
    variables: () => ({ input: { name: 'north', state: 'OFFLINE', reason: 'because' } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.submitJobs': {
    text: `${input('submitJobs')} { jobs { id } } }`,
    variables: (_world, caller) => ({
      input: {
        experiment: 'alpha',
        idempotencyKey: caller,
        jobs: [{ name: 'x', payload: { command: 'true' } }],
      },
    }),
    outcomes: 'r r r r r r',
  },
  'Mutation.cancelJobs': change('cancelJobs', 'r r r e e r'),
  'Mutation.retryJobs': change('retryJobs', 'r r r e e r'),
  'Mutation.holdJobs': change('holdJobs', 'r r r e e r', { reason: 'because' }),
  'Mutation.releaseJobs': change('releaseJobs', 'r r r e e r'),
  'Mutation.setJobPriority': change('setJobPriority', 'r r r e e r', { priority: 7 }),
  'Mutation.submitTask': {
    text: `${input('submitTask')} { task { id } } }`,
    variables: (_world, caller) => ({
      input: {
        experiment: 'alpha',
        idempotencyKey: caller,
        name: 'x',
        jobs: { count: 1 },
        template: { name: 'x', payload: { command: 'true' } },
      },
    }),
    outcomes: 'r r r r r r',
  },
  'Mutation.registerWorker': workerReport('registerWorker', (_world, caller) =>
    registration('north', caller),
  ),
  'Mutation.heartbeat': workerReport('heartbeat', ({ workerId }) => ({ workerId })),
  'Mutation.acquireJobs': workerReport('acquireJobs', ({ spareId }) => ({ workerId: spareId, free })),
  'Mutation.startJobs': workerReport('startJobs', (world, caller) => ({
    workerId: world.workerId,
    jobs: [{ ...held(world, caller), phase: 'RUNNING' }],
  })),
  'Mutation.finishJobs': workerReport('finishJobs', (world, caller) => ({
    workerId: world.workerId,
    jobs: [held(world, caller)],
  })),
  'Mutation.failJobs': workerReport('failJobs', (world, caller) => ({
    workerId: world.workerId,
    jobs: [
      {
        ...held(world, caller),
        error: { family: 'PAYLOAD', code: 'SPITE', message: 'because', isRetryable: false },
      },
    ],
  })),
  'Mutation.drainWorker': workerReport('drainWorker', ({ spareId }, caller) => ({
    workerId: spareId,
    hasEnded: !isPilotOfThis(caller),
  })),
  'Mutation.reportEndedBatchJobs': {
    text: `${input('reportEndedBatchJobs')} { workers { id } userErrors { code message } } }`,
    variables: () => ({ input: { queue: 'north', batchJobIds: ['4711'] } }),
    got: ({ reportEndedBatchJobs }: Reported) => reportEndedBatchJobs?.userErrors.length === 0,
    outcomes: 'r a r r r r',
  },
  // A pilot with the token of its queue has no credential of its own.
  'Query.heldAttempt': {
    text: 'query ($w: ID!, $j: ID!, $f: SafeInt!) { heldAttempt(workerId: $w, jobId: $j, fence: $f) { number } }',
    variables: ({ workerId, jobId, fence }) => ({ w: workerId, j: jobId, f: fence }),
    outcomes: 'e e r e r r',
  },
  // Operators of any experiment see the state of the service.
  'Query.leaseClock': { text: '{ leaseClock { state } }', outcomes: 'r r r a r a' },
  'Mutation.reportGateway': {
    text: `${input('reportGateway')} { reportedAt } }`,
    variables: () => ({ input: { isAcceptingPilots: false } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.redeemSecrets': {
    text: `${input('redeemSecrets')} { sealed } }`,
    variables: ({ workerId, jobId, fence }) => ({
      input: { workerId, jobId, fence, secretIds: ['secret_nowhere'], request: 'x' },
    }),
    got: ({ redeemSecrets }: { redeemSecrets: { sealed: string | null } }) => redeemSecrets.sealed,
    outcomes: 'e e r r r r',
  },
  'Mutation.appendJobLog': workerReport('appendJobLog', (world, caller) => {
    const { id, fence } = held(world, caller);
    const chunks = [{ sequence: 0, stream: 'STDOUT', text: 'lies', at: '2030-01-01T00:00:00Z' }];
    return { workerId: world.workerId, jobId: id, fence, chunks };
  }),
  'Subscription.jobStateChanged': {
    text: 'subscription { jobStateChanged(filter: { experiments: ["alpha"] }) { cursor } }',
    outcomes: 'r r r r r a',
  },
  'Subscription.jobCountsChanged': {
    text: 'subscription { jobCountsChanged(filter: { experiments: ["alpha"] }) { cursor } }',
    outcomes: 'r r r r r a',
  },
  'Subscription.taskProgress': {
    text: 'subscription ($id: ID!) { taskProgress(id: $id) { cursor } }',
    variables: ({ taskId }) => ({ id: taskId }),
    outcomes: 'r r e e e a',
  },
  'Subscription.queueChanged': {
    text: 'subscription { queueChanged(filter: { names: ["north"] }) { cursor } }',
    outcomes: 'a a a a a a',
  },
  'Subscription.workerChanged': {
    text: 'subscription { workerChanged(filter: { queues: ["north"] }) { cursor } }',
    outcomes: 'a a a a a a',
  },
  'Subscription.jobLogAppended': {
    text: 'subscription ($id: ID!) { jobLogAppended(jobId: $id) { cursor } }',
    variables: ({ jobId }) => ({ id: jobId }),
    outcomes: 'e a e e e a',
  },
  'Subscription.gpuOccupancyChanged': {
    text: 'subscription { gpuOccupancyChanged { gpus { queueName } } }',
    got: () => true,
    outcomes: 'a a a a a a',
  },
  'Subscription.workerCommands': {
    text: 'subscription ($id: ID!) { workerCommands(workerId: $id) { sequence } }',
    variables: ({ workerId }) => ({ id: workerId }),
    outcomes: 'e a r r r r',
  },
  'Experiment.__resolveReference': entity('Experiment', () => ({ name: 'alpha' }), 'title', 'r r r r r a'),
  'Queue.__resolveReference': entity('Queue', () => ({ name: 'north' }), 'site { name }', 'a a a a a a'),
  'Job.__resolveReference': entity('Job', ({ jobId }) => ({ id: jobId }), 'name', 'e a e e e a'),
  'Task.__resolveReference': entity('Task', ({ taskId }) => ({ id: taskId }), 'name', 'r r e e e a'),
  'Worker.__resolveReference': entity('Worker', ({ workerId }) => ({ id: workerId }), 'host', 'a a a a a a'),
  'Experiment.shares': {
    text: 'query ($id: ID!) { job(id: $id) { experiment { shares { path } } } }',
    variables: ({ jobId }) => ({ id: jobId }),
    outcomes: 'e r e e e a',
  },
  'Job.share': {
    text: 'query ($id: ID!) { job(id: $id) { share { path } } }',
    variables: ({ jobId }) => ({ id: jobId }),
    got: ({ job }: { job: { share: unknown } | null }) => job?.share,
    outcomes: 'e r e e e a',
  },
  'Task.share': {
    text: 'query ($id: ID!) { task(id: $id) { share { path } } }',
    variables: ({ taskId }) => ({ id: taskId }),
    got: ({ task }: { task: { share: unknown } | null }) => task?.share,
    outcomes: 'r r e e e a',
  },
  'JobCount.share': {
    text: '{ jobCounts { share { path } } }',
    got: ({ jobCounts }: { jobCounts: { share: unknown }[] }) =>
      jobCounts.some(({ share }) => share !== null),
    outcomes: 'r r e e e a',
  },
  'Site.__resolveReference': entity('Site', () => ({ name: 'Pole' }), 'name', 'a a a a a a'),
  'Principal.__resolveReference': entity('Principal', () => ({ subject: 'x' }), 'subject', 'a a a a a a'),
  'Task.jobs': {
    text: 'query ($id: ID!) { task(id: $id) { jobs { nodes { id } } } }',
    variables: ({ taskId }) => ({ id: taskId }),
    outcomes: 'r r e e e a',
  },
  'Job.access': {
    text: 'query ($id: ID!) { job(id: $id) { access { id } } }',
    variables: ({ jobId }) => ({ id: jobId }),
    got: ({ job }: { job: { access: unknown[] } | null }) => job?.access.length,
    outcomes: 'e e e e e e',
  },
  'JobAccess.share': {
    text: '{ jobAccess { nodes { share { path } } } }',
    got: ({ jobAccess }: { jobAccess: { nodes: { share: unknown }[] } }) =>
      jobAccess.nodes.some(({ share }) => share !== null),
    outcomes: 'e e e e e e',
  },
  'Job.viewerCanCancel': {
    text: 'query ($id: ID!) { job(id: $id) { viewerCanCancel } }',
    variables: ({ jobId }) => ({ id: jobId }),
    got: ({ job }: { job: { viewerCanCancel: boolean } | null }) => job?.viewerCanCancel,
    outcomes: 'e e e e e e',
  },
  'JobPayload.environment': {
    text: 'query ($id: ID!) { job(id: $id) { payload { environment { value } } } }',
    variables: ({ jobId }) => ({ id: jobId }),
    got: ({ job }: { job: { payload: { environment: unknown } } | null }) => job?.payload.environment,
    outcomes: 'e a e e e e',
  },
};
