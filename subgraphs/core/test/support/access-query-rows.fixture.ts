/** For tests: what callers may do with the queries and subscriptions of core. */
import { friend } from './access.fixture.js';
import type { Row } from './access-row.fixture.js';

/** Queries and subscriptions. */
export const queryRows: Readonly<Record<string, Row>> = {
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
  'Query.storage': { text: '{ storage(name: "vault") { name } }', outcomes: 'r r e e e a' },
  'Query.storages': {
    text: '{ storages { nodes { name } } }',
    got: ({ storages }: { storages: { nodes: unknown[] } }) => storages.nodes.length > 0,
    outcomes: 'r r e e e a',
  },
  'Query.queue': { text: '{ queue(name: "north") { name } }', outcomes: 'a a a a a a' },
  'Query.queues': {
    text: '{ queues(filter: { names: ["north"] }) { nodes { name } } }',
    outcomes: 'a a a a a a',
  },
  'Query.downtimes': {
    text: '{ downtimes { nodes { id } } }',
    got: ({ downtimes }: { downtimes: { nodes: unknown[] } }) => downtimes.nodes.length > 0,
    outcomes: 'a a a a a a',
  },
  'Query.hosts': {
    text: '{ hosts { nodes { id } } }',
    got: ({ hosts }: { hosts: { nodes: unknown[] } }) => hosts.nodes.length > 0,
    outcomes: 'a a a a a a',
  },
  'Query.workflow': {
    text: 'query ($id: ID!) { workflow(id: $id) { id } }',
    variables: ({ workflowId }) => ({ id: workflowId }),
    outcomes: 'r r e e e a',
  },
  'Query.workflows': {
    text: '{ workflows { nodes { id } } }',
    got: ({ workflows }: { workflows: { nodes: unknown[] } }) => workflows.nodes.length > 0,
    outcomes: 'r r e e e a',
  },
  'Query.dataset': {
    text: 'query ($id: ID!) { dataset(id: $id) { id } }',
    variables: ({ datasetId }) => ({ id: datasetId }),
    outcomes: 'r r e e e a',
  },
  'Query.datasets': {
    text: '{ datasets { nodes { id } } }',
    got: ({ datasets }: { datasets: { nodes: unknown[] } }) => datasets.nodes.length > 0,
    outcomes: 'r r e e e a',
  },
  'Query.filePolicies': {
    text: '{ filePolicies { nodes { id } } }',
    got: ({ filePolicies }: { filePolicies: { nodes: unknown[] } }) => filePolicies.nodes.length > 0,
    outcomes: 'r r e e e a',
  },
  'Query.fileDeletionPreview': {
    text: 'query ($i: FileDeletionPreviewInput!) { fileDeletionPreview(input: $i) { preview { fileCount } } }',
    variables: ({ datasetId }) => ({ i: { experiment: 'alpha', rules: { datasetId, keepDays: 1 } } }),
    got: ({ fileDeletionPreview }: { fileDeletionPreview: { preview: unknown } }) =>
      fileDeletionPreview.preview,
    outcomes: 'r r r e e r',
  },
  'Query.fleet': {
    text: 'query ($id: ID!) { fleet(id: $id) { id } }',
    variables: ({ fleetId }) => ({ id: fleetId }),
    outcomes: 'r r e e e a',
  },
  'Query.fleets': {
    text: '{ fleets { nodes { id } } }',
    got: ({ fleets }: { fleets: { nodes: unknown[] } }) => fleets.nodes.length > 0,
    outcomes: 'r r e e e a',
  },
  'Query.workPool': {
    text: 'query ($id: ID!) { workPool(id: $id) { id } }',
    variables: ({ poolId }) => ({ id: poolId }),
    outcomes: 'r r e e e a',
  },
  'Query.workPools': {
    text: '{ workPools { nodes { id } } }',
    got: ({ workPools }: { workPools: { nodes: unknown[] } }) => workPools.nodes.length > 0,
    outcomes: 'r r e e e a',
  },
  'Query.workUnit': {
    text: 'query ($id: ID!) { workUnit(id: $id) { id } }',
    variables: ({ unitId }) => ({ id: unitId }),
    outcomes: 'r r e e e a',
  },
  'Query.viewer': { text: '{ viewer { subject } }', outcomes: 'a a a a a a' },
  'Query.jobCounts': {
    text: '{ jobCounts { experimentName queueName count } }',
    got: ({ jobCounts }: { jobCounts: { experimentName: string; queueName: string | null }[] }) =>
      jobCounts.some(({ experimentName, queueName }) => experimentName === 'alpha' && queueName !== 'south'),
    outcomes: 'e a e e e a',
  },
  'Query.errorSummary': {
    text: '{ errorSummary(filter: { experiments: ["alpha"] }) { countedSince } }',
    outcomes: 'r r r r r a',
  },
  'Query.policy': { text: '{ policy(scope: { experiment: "alpha" }) { id } }', outcomes: 'r r e e e a' },
  'Query.policies': {
    text: '{ policies { nodes { id } } }',
    got: ({ policies }: { policies: { nodes: unknown[] } }) => policies.nodes.length > 0,
    outcomes: 'r r e e e a',
  },
  'Query.simulatePolicy': {
    text: '{ simulatePolicy(input: { scope: { experiment: "alpha" }, version: 1 }) { userErrors { code } } }',
    got: ({ simulatePolicy }: { simulatePolicy: { userErrors: unknown[] } }) =>
      simulatePolicy.userErrors.length === 0,
    outcomes: 'r r r e e r',
  },
  'Query.gpuModels': { text: '{ gpuModels { name } }', outcomes: 'a a a a a a' },
  'Query.gpuModel': { text: '{ gpuModel(name: "T4") { name } }', outcomes: 'a a a a a a' },
  'Query.cudaReleases': { text: '{ cudaReleases { version } }', outcomes: 'a a a a a a' },
  'Query.pilotDemand': {
    text: `{ pilotDemand(input: { queue: "north", shapes: [{ name: "small", lifetimeSeconds: 600, hardware:
      { architecture: "x86_64", cores: 1, memoryMiB: 512, diskMiB: 512 } }] }) { demand { classesLeftOut } userErrors { message } } }`,
    outcomes: 'r r r r r r',
  },
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
  'Query.jobAccess': {
    text: '{ jobAccess { nodes { grantee { subject } } } }',
    got: ({ jobAccess }: { jobAccess: { nodes: { grantee: { subject: string } }[] } }) =>
      jobAccess.nodes.some(({ grantee }) => grantee.subject === friend),
    outcomes: 'e e e e e e',
  },
  'Query.secret': { text: '{ secret(id: "secret_nowhere") { id } }', outcomes: 'r r r e e r' },
  // Their own, of which they have none; a pilot and an agent have no secrets.
  'Query.secrets': {
    text: '{ secrets { nodes { id } } }',
    got: ({ secrets }: { secrets: { nodes: unknown[] } }) => secrets.nodes.length > 0,
    outcomes: 'r r r e e r',
  },
  'Query.upload': { text: '{ upload(id: "upload_nowhere") { id } }', outcomes: 'r r r e e r' },
  'Query.uploads': {
    text: '{ uploads { nodes { id } } }',
    got: ({ uploads }: { uploads: { nodes: unknown[] } }) => uploads.nodes.length > 0,
    outcomes: 'r r r e e r',
  },
  // A pilot with the token of its queue has no credential of its own.
  'Query.heldAttempt': {
    text: 'query ($w: ID!, $j: ID!, $f: SafeInt!) { heldAttempt(workerId: $w, jobId: $j, fence: $f) { number } }',
    variables: ({ workerId, jobId, fence }) => ({ w: workerId, j: jobId, f: fence }),
    outcomes: 'e e r e r r',
  },
  // Operators of any experiment see the state of the service.
  'Query.leaseClock': { text: '{ leaseClock { state } }', outcomes: 'r r r a r a' },
  'Subscription.jobStateChanged': {
    text: 'subscription { jobStateChanged(filter: { experiments: ["alpha"] }) { cursor } }',
    outcomes: 'r r r r r a',
  },
  'Subscription.jobCountsChanged': {
    text: 'subscription { jobCountsChanged(filter: { experiments: ["alpha"] }) { cursor } }',
    outcomes: 'r r r r r a',
  },
  'Query.workUnitTotals': {
    text: '{ workUnitTotals(filter: { experiments: ["alpha"] }, since: "2026-01-01T00:00:00.000Z", until: "2026-01-02T00:00:00.000Z", groupBy: [POOL]) { poolId } }',
    outcomes: 'r r e e e e',
  },
  'Subscription.workflowChanged': {
    text: 'subscription ($id: ID!) { workflowChanged(id: $id) { cursor } }',
    variables: ({ workflowId }) => ({ id: workflowId }),
    outcomes: 'r r e e e a',
  },
  'Subscription.fleetDecided': {
    text: 'subscription ($id: ID!) { fleetDecided(fleetId: $id) { cursor } }',
    variables: ({ fleetId }) => ({ id: fleetId }),
    outcomes: 'r r e e e a',
  },
  'Subscription.workPoolChanged': {
    text: 'subscription ($id: ID!) { workPoolChanged(id: $id) { cursor } }',
    variables: ({ poolId }) => ({ id: poolId }),
    outcomes: 'r r e e e a',
  },
  'Subscription.workUnitCompleted': {
    text: 'subscription ($id: ID!) { workUnitCompleted(poolId: $id) { cursor } }',
    variables: ({ poolId }) => ({ id: poolId }),
    outcomes: 'r r e e e a',
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
  'Subscription.jobProgressChanged': {
    text: 'subscription ($ids: [ID!]!) { jobProgressChanged(ids: $ids) { cursor } }',
    variables: ({ jobId }) => ({ ids: [jobId] }),
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
};
