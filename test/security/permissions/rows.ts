/** One call for each root field of core, in the order in which they are made. */
import { createProofKey } from '@rhizome/client';
import { farDowntime, neverRule } from '../../e2e/system/idle-inputs.js';
import type { Objects } from './objects.js';
import { mutation, query, type Rows, subscription } from './row.js';
import type { Caller, Target } from './world.js';
import { type HeldJob, registrationOf, type Worker } from './workers.js';

const free = { cores: 0, memoryMiB: 0, diskMiB: 0 };

const testedHost = { host: 'elsewhere', reason: 'test' };

const ofJob = ({ jobId }: Objects) => ({ selection: { ids: [jobId] } });
const key = (caller: Caller, target: Target): string => `${caller} ${target}`;
const reportOf = ({ jobId: id, fence }: HeldJob) => ({ id, fence });
const payload = { command: 'true' };

export const rows: Rows = [
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
  query('downtimes', '{ downtimes(first: 100) { nodes { id } } }', undefined, {
    found: ({ nodes }, { downtimeId }) =>
      (nodes as readonly { id: string }[]).some(({ id }) => id === downtimeId),
  }),
  query('hosts', 'query ($n: [String!]) { hosts(filter: { queues: $n }) { nodes { id } } }', ({ queue }) => ({
    n: [queue],
  })),
  query('worker', 'query ($id: ID!) { worker(id: $id) { id } }', ({ worker }) => ({ id: worker.id })),
  query('workers', 'query ($id: [ID!]) { workers(filter: { ids: $id }) { nodes { id } } }', ({ worker }) => ({
    id: [worker.id],
  })),
  query('job', 'query ($id: ID!) { job(id: $id) { id } }', ({ jobId }) => ({ id: jobId })),
  query('jobs', 'query ($id: [ID!]) { jobs(filter: { ids: $id }) { nodes { id } } }', ({ jobId }) => ({
    id: [jobId],
  })),
  query(
    'jobCounts',
    'query ($n: [String!]) { jobCounts(filter: { experiments: $n }) { count } }',
    ({ experiment }) => ({ n: [experiment] }),
  ),
  query(
    'errorSummary',
    'query ($n: [String!]) { errorSummary(filter: { experiments: $n }) { count } }',
    ({ experiment }) => ({ n: [experiment] }),
  ),
  query('task', 'query ($id: ID!) { task(id: $id) { id } }', ({ taskId }) => ({ id: taskId })),
  query(
    'tasks',
    'query ($n: [String!]) { tasks(filter: { experiments: $n }) { nodes { id } } }',
    ({ experiment }) => ({ n: [experiment] }),
  ),
  query('workflow', 'query ($id: ID!) { workflow(id: $id) { id } }', ({ workflowId }) => ({
    id: workflowId,
  })),
  query(
    'workflows',
    'query ($n: [String!]) { workflows(filter: { experiments: $n }) { nodes { id } } }',
    ({ experiment }) => ({ n: [experiment] }),
  ),
  query('dataset', 'query ($id: ID!) { dataset(id: $id) { id } }', ({ datasetId }) => ({ id: datasetId })),
  query(
    'datasets',
    'query ($n: [String!]) { datasets(filter: { experiments: $n }) { nodes { id } } }',
    ({ experiment }) => ({ n: [experiment] }),
  ),
  query(
    'filePolicies',
    'query ($n: [String!]) { filePolicies(filter: { experiments: $n }) { nodes { id } } }',
    ({ experiment }) => ({ n: [experiment] }),
  ),
  query(
    'fileDeletionPreview',
    'query ($i: FileDeletionPreviewInput!) { fileDeletionPreview(input: $i) { userErrors { code } } }',
    ({ experiment, datasetId }) => ({ i: { experiment, rules: { datasetId, keepDays: 1 } } }),
  ),
  query('fleet', 'query ($id: ID!) { fleet(id: $id) { id } }', ({ fleetId }) => ({ id: fleetId })),
  query(
    'fleets',
    'query ($n: [String!]) { fleets(filter: { experiments: $n }) { nodes { id } } }',
    ({ experiment }) => ({ n: [experiment] }),
  ),
  query('workPool', 'query ($id: ID!) { workPool(id: $id) { id } }', ({ poolId }) => ({ id: poolId })),
  query(
    'workPools',
    'query ($n: [String!]) { workPools(filter: { experiments: $n }) { nodes { id } } }',
    ({ experiment }) => ({ n: [experiment] }),
  ),
  query(
    'workUnitTotals',
    'query ($n: [String!], $since: DateTime!) { workUnitTotals(filter: { experiments: $n }, since: $since) { completed } }',
    ({ experiment }) => ({ n: [experiment], since: new Date(Date.now() - 2 * 3_600_000) }),
  ),
  query('workUnit', 'query ($id: ID!) { workUnit(id: $id) { id } }', ({ unitId }) => ({ id: unitId })),
  query('bulkOperation', 'query ($id: ID!) { bulkOperation(id: $id) { id } }', ({ operationId }) => ({
    id: operationId,
  })),
  query(
    'explainRequirements',
    'query ($n: String!) { explainRequirements(input: { experiment: $n }) { userErrors { code } } }',
    ({ experiment }) => ({ n: experiment }),
  ),
  query(
    'pilotDemand',
    `query ($n: String!) { pilotDemand(input: { queue: $n, shapes: [{ name: "small", lifetimeSeconds: 600,
      hardware: { architecture: "x86_64", cores: 1, memoryMiB: 512, diskMiB: 512 } }] }) { userErrors { code } } }`,
    ({ queue }) => ({ n: queue }),
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
  subscription('jobProgressChanged', '($ids: [ID!]!) { jobProgressChanged(ids: $ids) { cursor } }', (o) => ({
    ids: [o.jobId],
  })),
  subscription('workflowChanged', '($id: ID!) { workflowChanged(id: $id) { cursor } }', (o) => ({
    id: o.workflowId,
  })),
  subscription('fleetDecided', '($id: ID!) { fleetDecided(fleetId: $id) { cursor } }', (o) => ({
    id: o.fleetId,
  })),
  subscription('workPoolChanged', '($id: ID!) { workPoolChanged(id: $id) { cursor } }', (o) => ({
    id: o.poolId,
  })),
  subscription('workUnitCompleted', '($id: ID!) { workUnitCompleted(poolId: $id) { cursor } }', (o) => ({
    id: o.poolId,
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
    id: o.worker.id,
  })),
  mutation('submitWorkflow', ({ experiment, onBehalfOf }, caller, target) => ({
    experiment,
    idempotencyKey: `workflow ${key(caller, target)}`,
    name: 'x',
    nodes: [{ name: 'x', payload, requirements: { cores: 4096 } }],
    onBehalfOf,
  })),
  mutation('appendWorkflowNodes', ({ openWorkflowId }) => ({
    ...{ workflowId: openWorkflowId, part: 1 },
    nodes: [{ name: 'x', payload, requirements: { cores: 4096 } }],
  })),
  mutation('sealWorkflow', ({ openWorkflowId }) => ({ workflowId: openWorkflowId })),
  mutation('pauseWorkflow', ({ workflowId }) => ({ workflowId })),
  mutation('resumeWorkflow', ({ workflowId }) => ({ workflowId })),
  mutation('retryWorkflow', ({ workflowId }) => ({ workflowId })),
  mutation('cloneWorkflow', ({ workflowId }, caller, target) => ({
    ...{ workflowId, idempotencyKey: `clone ${key(caller, target)}` },
  })),
  mutation('markWorkflowNodes', ({ workflowId }) => ({
    ...{ workflowId, nodes: ['later'], state: 'SUCCEEDED', reason: 'test' },
  })),
  mutation('cancelWorkflow', ({ workflowId }) => ({ workflowId, nodes: ['later'] })),
  mutation('createWorkPool', ({ experiment }, caller, target) => ({
    experiment,
    name: `of-${caller}-${target}`.toLowerCase(),
  })),
  mutation('createDataset', ({ experiment }, caller, target) => ({
    experiment,
    name: `of-${caller}-${target}`.toLowerCase(),
  })),
  mutation('appendDatasetFiles', ({ datasetId }) => ({
    ...{ datasetId, files: [{ name: 'tested', sizeBytes: 1 }] },
  })),
  mutation('setDatasetReplicas', ({ datasetId }) => ({
    ...{ datasetId, replicas: [{ fileName: 'given', location: 'https://files.test/given' }] },
  })),
  mutation('closeDataset', ({ datasetId }) => ({ datasetId })),
  mutation('removeDataset', ({ datasetId }) => ({ datasetId, isDryRun: true })),
  mutation('setFilePolicy', ({ experiment, datasetId }, caller, target) => ({
    ...{ experiment, name: `of-${caller}-${target}`.toLowerCase(), rules: { datasetId, keepDays: 1 } },
  })),
  mutation('deleteDatasetFiles', ({ datasetId }) => ({ datasetId, isDryRun: true })),
  mutation('restoreDatasetFiles', ({ datasetId }) => ({ datasetId })),
  mutation('createFleet', ({ poolId }, caller, target) => ({
    ...{ poolId, name: `of-${caller}-${target}`.toLowerCase(), job: { name: 'x', payload } },
  })),
  mutation('updateFleet', ({ fleetId }) => ({ fleetId, settings: { max: 5 } })),
  mutation('pauseFleet', ({ fleetId }) => ({ fleetId })),
  mutation('resumeFleet', ({ fleetId }) => ({ fleetId })),
  mutation('prewarmFleet', ({ fleetId }) => ({
    ...{ fleetId, jobs: 1, until: new Date(Date.now() + 3_600_000).toISOString() },
  })),
  mutation('drainFleet', ({ fleetId }) => ({ fleetId })),
  mutation('publishWorkUnits', ({ poolId }) => ({ poolId, units: [{ key: 'tested', payload: 'x' }] })),
  mutation('resubmitWorkUnits', ({ poolId }) => ({ poolId })),
  mutation('closeWorkPool', ({ poolId }) => ({ poolId })),
  mutation('addWorkflowNodes', () => ({ idempotencyKey: 'added', nodes: [{ name: 'x', payload }] })),
  mutation('leaseWorkUnits', ({ poolId }) => ({ pool: poolId, max: 2 })),
  mutation('completeWorkUnits', ({ unitId }) => ({ units: [{ id: unitId, fence: 1 }] })),
  mutation('failWorkUnits', ({ secondUnitId }) => ({ units: [{ id: secondUnitId, fence: 1 }] })),
  mutation('extendWorkUnits', ({ unitId }) => ({ units: [{ id: unitId, fence: 1 }] })),
  mutation('registerExperiment', ({ experiment: name }) => ({ name, title: name })),
  mutation('updateExperiment', ({ experiment: name }) => ({ name, title: name })),
  mutation('setShares', ({ experiment }) => ({
    experiment,
    shares: ['production', 'analysis'].map((leaf) => ({ leaf, nominalCores: 10 })),
  })),
  query('policy', 'query ($n: String!) { policy(scope: { experiment: $n }) { id } }', ({ experiment }) => ({
    n: experiment,
  })),
  query('policies', '{ policies { nodes { name } } }', undefined, {
    found: ({ nodes }, { experiment }) =>
      (nodes as readonly { readonly name: string }[]).some(({ name }) => name === experiment),
  }),
  query(
    'simulatePolicy',
    'query ($n: String!) { simulatePolicy(input: { scope: { experiment: $n }, version: 1 }) { userErrors { code } } }',
    ({ experiment }) => ({ n: experiment }),
  ),
  mutation('addPolicyVersion', ({ experiment }) => ({ scope: { experiment }, rules: [neverRule] })),
  mutation('enablePolicy', ({ experiment }) => ({ scope: { experiment }, version: 1 })),
  mutation('disablePolicy', ({ experiment }) => ({ scope: { experiment } })),
  query('storage', 'query ($n: String!) { storage(name: $n) { name } }', ({ experiment }) => ({
    n: `of-${experiment}`,
  })),
  query('storages', '{ storages(first: 100) { nodes { name } } }', undefined, {
    found: ({ nodes }, { experiment }) =>
      (nodes as readonly { name: string }[]).some(({ name }) => name === `of-${experiment}`),
  }),
  mutation('createStorage', ({ experiment }, caller, target) => ({
    ...{ name: `${caller}-${target}`.toLowerCase(), provider: 'FOLDER', address: 'https://files.test' },
    experiments: [experiment],
  })),
  mutation('setStorage', ({ experiment }) => ({ name: `of-${experiment}`, siteName: 'POLE' })),
  mutation('removeStorage', ({ experiment }) => ({ name: `of-${experiment}`, isDryRun: true })),
  mutation('createQueue', ({ experiment }, caller, target) => ({
    name: `${caller}-${target}`,
    site: 'POLE',
    experiments: [experiment],
  })),
  mutation('updateQueue', ({ queue: name }) => ({ name, site: 'POLE' })),
  mutation('setQueueState', ({ queue: name }) => ({ name, state: 'ONLINE', reason: 'test' })),
  mutation('declareDowntime', ({ queue }) => ({ target: { queue }, ...farDowntime })),
  mutation('changeDowntime', ({ downtimeId: id }) => ({ id, reason: 'tested' })),
  mutation('cancelDowntime', ({ downtimeId: id }) => ({ id })),
  mutation(
    'importDowntimes',
    ({ queue }, caller, target) => ({
      source: `${caller}-${target}`,
      downtimes: [{ sourceId: '1', target: { queue }, ...farDowntime }],
    }),
    {
      select: 'created { id } userErrors { code }',
      found: ({ created }) => (created as readonly unknown[]).length === 1,
    },
  ),
  mutation('excludeHost', ({ queue }) => ({ queue, ...testedHost })),
  mutation('pinHost', ({ queue }) => ({ queue, ...testedHost, to: 'OUT' })),
  mutation('clearHost', ({ queue }) => ({ queue, host: testedHost.host })),
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
  query('upload', 'query ($id: ID!) { upload(id: $id) { id } }', ({ uploadId: id }) => ({ id })),
  query('uploads', '{ uploads(first: 100) { nodes { id } } }', undefined, {
    found: ({ nodes }, { uploadId }) =>
      (nodes as readonly { id: string }[]).some(({ id }) => id === uploadId),
  }),
  mutation('createUpload', ({ experiment }, caller, target) => ({
    ...{ experiment, name: key(caller, target), fileCount: 1, parts: [] },
    manifest: { sizeBytes: 1, sha256: 'cd'.repeat(32) },
  })),
  mutation('completeUpload', ({ uploadId: id }) => ({ id })),
  mutation('removeUpload', ({ uploadId: id }) => ({ id })),
  mutation('allowSubmissionOnBehalf', ({ experiment }) => ({ experiment })),
  mutation('withdrawSubmissionConsent', ({ experiment }) => ({ experiment })),
  query('jobAccess', '{ jobAccess(first: 100) { nodes { id } } }', undefined, {
    found: ({ nodes }, { accessId }) =>
      (nodes as readonly { id: string }[]).some(({ id }) => id === accessId),
  }),
  mutation('grantJobAccess', ({ experiment, jobId }) => ({
    ...{ experiment, level: 'READ', jobs: { jobId } },
    grantee: { subject: 'somebody@example' },
  })),
  mutation('revokeJobAccess', ({ accessId: id }) => ({ id })),
  query('secrets', 'query ($e: String) { secrets(experiment: $e) { nodes { id } } }', ({ experiment }) => ({
    e: experiment,
  })),
  query('secret', 'query ($id: ID!) { secret(id: $id) { id } }', ({ secretId: id }) => ({ id })),
  mutation('createSecret', ({ experiment }, caller, target) => ({
    ...{ experiment, value: 'eight or more' },
    name: `${caller}-${target}`,
  })),
  mutation('rotateSecret', ({ secretId: id }) => ({ id, value: 'eight or more' })),
  mutation('deleteSecret', ({ ownSecretId: id }) => ({ id }), {
    select: 'isDeleted userErrors { code }',
    found: ({ isDeleted }) => isDeleted === true,
  }),
  mutation('setJobPriority', (objects) => ({ ...ofJob(objects), priority: 1 })),
  mutation('holdJobs', (objects) => ({ ...ofJob(objects), reason: 'test' })),
  mutation('releaseJobs', ofJob),
  mutation('cancelJobs', ofJob),
  mutation('pauseTask', ({ taskId }) => ({ taskId, reason: 'test' })),
  mutation('resumeTask', ({ taskId }) => ({ taskId })),
  // The next callers need the task, too.
  mutation('finishTask', ({ taskId }) => ({ taskId, isDryRun: true })),
  mutation('abortTask', ({ taskId }) => ({ taskId, isDryRun: true })),
  mutation('endScouting', ({ taskId }) => ({ taskId, isDryRun: true })),
  mutation('changeTask', ({ taskId }) => ({ taskId, changes: { memoryMiB: 99 }, isDryRun: true })),
  mutation('retryJobs', (objects, caller, target) => ({
    ...ofJob(objects),
    idempotencyKey: key(caller, target),
  })),
  mutation('registerWorker', ({ queue, worker }, caller, target) =>
    registrationOf(queue, caller === 'PILOT' && target !== 'foreign' ? worker.name : key(caller, target)),
  ),
  mutation('heartbeat', ({ worker }) => ({ workerId: worker.id })),
  mutation('acquireJobs', ({ worker }) => ({ workerId: worker.id, free })),
  mutation('startJobs', ({ worker, held }) => ({
    workerId: worker.id,
    jobs: [{ ...reportOf(held), phase: 'RUNNING' }],
  })),
  mutation('finishJobs', ({ worker }) => ({ workerId: worker.id, jobs: [reportOf(worker.next())] })),
  mutation('failJobs', ({ worker }) => ({
    workerId: worker.id,
    jobs: [{ ...reportOf(worker.next()), error: { family: 'PAYLOAD', code: 'X', message: 'x' } }],
  })),
  query(
    'heldAttempt',
    'query ($w: ID!, $j: ID!, $f: SafeInt!) { heldAttempt(workerId: $w, jobId: $j, fence: $f) { number } }',
    ({ worker, held }) => ({ w: worker.id, j: held.jobId, f: held.fence }),
  ),
  query('leaseClock', '{ leaseClock { state } }'),
  mutation('reportGateway', () => ({ isAcceptingPilots: true })),
  mutation(
    'redeemSecrets',
    ({ worker, held }) => ({
      ...{ workerId: worker.id, ...held, secretIds: [worker.secretId] },
      request: requestOf(worker, held),
    }),
    { select: 'sealed userErrors { code }' },
  ),
  mutation('appendJobLog', ({ worker, held }) => ({
    ...{ workerId: worker.id, ...held },
    chunks: [{ sequence: 0, stream: 'STDOUT', text: 'x', at: '2030-01-01T00:00:00Z' }],
  })),
  mutation('signJobFiles', ({ worker, held }) => ({ workerId: worker.id, ...held })),
  mutation('reportCheckpoints', ({ worker, held }) => ({
    workerId: worker.id,
    jobs: [{ ...reportOf(held), checkpoints: [] }],
  })),
  mutation('drainWorker', ({ worker }) => ({ workerId: worker.id, reason: 'test' })),
  mutation('reportEndedBatchJobs', ({ queue }) => ({ queue, batchJobIds: ['none'] })),
  mutation('requestPilots', ({ queue, experiment }, caller, target) => ({
    ...{ queue, experiment, executor: 'site', instance: 'site 1', shape: 'small', jobsPerPilot: 1, count: 1 },
    ...{ classId: `class_${'0'.repeat(26)}`, maxOpenPilots: 1, idempotencyKey: key(caller, target) },
  })),
  mutation('reportPilots', ({ queue }) => ({ queue, instance: 'site 1', pilots: [] })),
];

/** A request for secrets, signed by the key of the worker. */
function requestOf({ id: workerId, key: signer }: Worker, held: HeldJob): string {
  const { x, y } = createProofKey().export();
  const claims = { workerId, ...held, key: { kty: 'EC', crv: 'P-256', x, y } };
  return signer.statement('rhizome-secrets-request+jwt', claims);
}
