/** One call for each root field of core, in the order in which they are made. */
import { mutationText } from '../../e2e/system/api.js';
import type { Caller, Objects, Target } from './world.js';

export interface Row {
  readonly text: string;
  readonly variables?: (objects: Objects, caller: Caller, target: Target) => object;
}

const hardware = { architecture: 'x86_64', cores: 1, memoryMiB: 1, diskMiB: 1 };
const free = { cores: 0, memoryMiB: 0, diskMiB: 0 };

/** A mutation with one input. */
const mutation = (field: string, input: NonNullable<Row['variables']>): [string, Row] => [
  `Mutation.${field}`,
  {
    text: mutationText(field),
    variables: (...asked) => ({ input: input(...asked) }),
  },
];

const query = (field: string, text: string, variables?: Row['variables']): [string, Row] => [
  `Query.${field}`,
  { text, ...(variables && { variables }) },
];

const subscription = (field: string, text: string, variables?: Row['variables']): [string, Row] => [
  `Subscription.${field}`,
  { text: `subscription ${text}`, ...(variables && { variables }) },
];

const ofJob = ({ jobId }: Objects) => ({ selection: { ids: [jobId] } });
const key = (caller: Caller, target: Target): string => `${caller} ${target}`;
const report = { id: 'job_nowhere', fence: 8 };
const payload = { command: 'true' };

export const rows: readonly (readonly [string, Row])[] = [
  query('viewer', '{ viewer { subject } }'),
  query('experiment', 'query ($n: String!) { experiment(name: $n) { name } }', ({ experiment }) => ({
    n: experiment,
  })),
  query(
    'experiments',
    'query ($n: String!) { experiments { nodes { name } } experiment(name: $n) { name } }',
    ({ experiment }) => ({ n: experiment }),
  ),
  query('shares', 'query ($n: String!) { shares(experiment: $n) { nodes { path } } }', ({ experiment }) => ({
    n: experiment,
  })),
  query('queue', 'query ($n: String!) { queue(name: $n) { name } }', ({ queue }) => ({ n: queue })),
  query(
    'queues',
    'query ($n: [String!]) { queues(filter: { names: $n }) { nodes { name } } }',
    ({ queue }) => ({
      n: [queue],
    }),
  ),
  query('worker', 'query ($id: ID!) { worker(id: $id) { id } }', ({ workerId }) => ({ id: workerId })),
  query(
    'workers',
    'query ($id: [ID!]) { workers(filter: { ids: $id }) { nodes { id } } }',
    ({ workerId }) => ({
      id: [workerId],
    }),
  ),
  query('job', 'query ($id: ID!) { job(id: $id) { id } }', ({ jobId }) => ({ id: jobId })),
  query('jobs', 'query ($id: [ID!]) { jobs(filter: { ids: $id }) { nodes { id } } }', ({ jobId }) => ({
    id: [jobId],
  })),
  query(
    'jobCounts',
    'query ($n: [String!]) { jobCounts(filter: { experiments: $n }) { count } }',
    ({ experiment }) => ({ n: [experiment] }),
  ),
  query('task', 'query ($id: ID!) { task(id: $id) { id } }', ({ taskId }) => ({ id: taskId })),
  query(
    'tasks',
    'query ($n: [String!]) { tasks(filter: { experiments: $n }) { nodes { id } } }',
    ({ experiment }) => ({ n: [experiment] }),
  ),
  query('bulkOperation', 'query ($id: ID!) { bulkOperation(id: $id) { id } }', ({ operationId }) => ({
    id: operationId,
  })),
  query(
    'explainRequirements',
    'query ($n: String!) { explainRequirements(input: { experiment: $n }) { userErrors { code } } }',
    ({ experiment }) => ({ n: experiment }),
  ),
  query('hardwareMap', '{ hardwareMap { sites { site { name } } } }'),
  query('hardwareExport', 'query ($n: [String!]!) { hardwareExport(queues: $n) { name } }', ({ queue }) => ({
    n: [queue],
  })),
  query('gpuModels', '{ gpuModels { name } }'),
  query('gpuModel', '{ gpuModel(name: "T4") { name } }'),
  query('cudaReleases', '{ cudaReleases { version } }'),
  subscription(
    'jobStateChanged',
    '($n: [String!]) { jobStateChanged(filter: { experiments: $n }) { cursor } }',
    (o) => ({
      n: [o.experiment],
    }),
  ),
  subscription(
    'jobCountsChanged',
    '($n: [String!]) { jobCountsChanged(filter: { experiments: $n }) { cursor } }',
    (o) => ({
      n: [o.experiment],
    }),
  ),
  subscription('jobLogAppended', '($id: ID!) { jobLogAppended(jobId: $id) { cursor } }', (o) => ({
    id: o.jobId,
  })),
  subscription('taskProgress', '($id: ID!) { taskProgress(id: $id) { cursor } }', (o) => ({ id: o.taskId })),
  subscription('queueChanged', '($n: [String!]) { queueChanged(filter: { names: $n }) { cursor } }', (o) => ({
    n: [o.queue],
  })),
  subscription(
    'workerChanged',
    '($n: [String!]) { workerChanged(filter: { queues: $n }) { cursor } }',
    (o) => ({
      n: [o.queue],
    }),
  ),
  subscription('gpuOccupancyChanged', '{ gpuOccupancyChanged { cursor: gpus { queueName } } }'),
  subscription('workerCommands', '($id: ID!) { workerCommands(workerId: $id) { sequence } }', (o) => ({
    id: o.workerId,
  })),
  mutation('registerExperiment', ({ experiment: name }) => ({ name, title: name })),
  mutation('setShares', ({ experiment }) => ({
    experiment,
    shares: ['production', 'analysis'].map((leaf) => ({ leaf, nominalCores: 10 })),
  })),
  mutation('createQueue', ({ experiment }, caller, target) => ({
    name: `${caller}-${target}`,
    site: 'POLE',
    experiments: [experiment],
  })),
  mutation('updateQueue', ({ queue: name }) => ({ name, site: 'POLE' })),
  mutation('setQueueState', ({ queue: name }) => ({ name, state: 'ONLINE', reason: 'test' })),
  mutation('submitJobs', ({ experiment, onBehalfOf }, caller, target) => ({
    experiment,
    idempotencyKey: `jobs ${key(caller, target)}`,
    jobs: [{ name: 'x', payload, requirements: { cores: 4096 } }],
    onBehalfOf,
  })),
  mutation('submitTask', ({ experiment, onBehalfOf }, caller, target) => ({
    experiment,
    idempotencyKey: `task ${key(caller, target)}`,
    name: 'x',
    jobs: { count: 1 },
    template: { name: 'x', payload, requirements: { cores: 4096 } },
    onBehalfOf,
  })),
  mutation('allowSubmissionOnBehalf', ({ experiment }) => ({ experiment })),
  mutation('withdrawSubmissionConsent', ({ experiment }) => ({ experiment })),
  query('secrets', 'query ($e: String) { secrets(experiment: $e) { nodes { id } } }', ({ experiment }) => ({
    e: experiment,
  })),
  query('secret', 'query ($id: ID!) { secret(id: $id) { id } }', ({ secretId: id }) => ({ id })),
  mutation('createSecret', ({ experiment }, caller, target) => ({
    ...{ experiment, value: 'eight or more' },
    name: `${caller}-${target}`,
  })),
  mutation('rotateSecret', ({ secretId: id }) => ({ id, value: 'eight or more' })),
  mutation('deleteSecret', () => ({ id: 'secret_nowhere' })),
  mutation('setJobPriority', (objects) => ({ ...ofJob(objects), priority: 1 })),
  mutation('holdJobs', (objects) => ({ ...ofJob(objects), reason: 'test' })),
  mutation('releaseJobs', ofJob),
  mutation('cancelJobs', ofJob),
  mutation('retryJobs', (objects, caller, target) => ({
    ...ofJob(objects),
    idempotencyKey: key(caller, target),
  })),
  mutation('registerWorker', ({ queue }, caller, target) => ({
    ...{ queue, host: 'h', name: key(caller, target), version: '1', hardware },
    idempotencyKey: key(caller, target),
  })),
  mutation('heartbeat', ({ workerId }) => ({ workerId })),
  mutation('acquireJobs', ({ workerId }) => ({ workerId, free })),
  mutation('startJobs', ({ workerId }) => ({ workerId, jobs: [{ ...report, phase: 'RUNNING' }] })),
  mutation('finishJobs', ({ workerId }) => ({ workerId, jobs: [report] })),
  mutation('failJobs', ({ workerId }) => ({
    workerId,
    jobs: [{ ...report, error: { family: 'PAYLOAD', code: 'X', message: 'x' } }],
  })),
  query(
    'heldAttempt',
    'query ($w: ID!, $j: ID!, $f: SafeInt!) { heldAttempt(workerId: $w, jobId: $j, fence: $f) { number } }',
    ({ workerId, jobId }) => ({ w: workerId, j: jobId, f: report.fence }),
  ),
  query('leaseClock', '{ leaseClock { state } }'),
  mutation('reportGateway', () => ({ isAcceptingPilots: true })),
  mutation('redeemSecrets', ({ workerId }) => ({
    ...{ workerId, jobId: report.id, fence: report.fence },
    ...{ secretIds: ['secret_nowhere'], request: 'none' },
  })),
  mutation('appendJobLog', ({ workerId }) => ({
    ...{ workerId, jobId: report.id, fence: report.fence },
    chunks: [{ sequence: 0, stream: 'STDOUT', text: 'x', at: '2030-01-01T00:00:00Z' }],
  })),
  mutation('drainWorker', ({ workerId }) => ({ workerId, reason: 'test' })),
];
