/** Calls with which an observer could reach something of another experiment. */
import { mutationText } from '../e2e/system/api.js';
import { neverRule } from '../e2e/system/idle-inputs.js';
import { experimentInputs, liveRunInputs } from './experiment-inputs.js';
import { hardware, large, payload, type Side, type Step } from './two-systems.js';

const onJob = (field: string, more: object = {}): Step => ({
  name: field,
  text: mutationText(field, 'result { changedCount refusedCount } userErrors { code message path }'),
  variables: ({ foreign, jobs }) => ({
    input: { selection: { ids: [foreign.jobId, jobs[1]] }, ...more },
  }),
});
const errorFields =
  'count coreHours groups { experimentName code count } waste { reason count } newErrors { code } totals { code }';
const onTask = (field: string, more: object = {}): Step => ({
  name: field,
  text: mutationText(field, 'task { id } effect { jobCount jobs { id } } userErrors { code message path }'),
  variables: ({ foreign }) => ({ input: { taskId: foreign.taskId, ...more } }),
});
const jobFields =
  'id name state attempt priority owner { subject } dependsOn { id } pending { summary } log { chunks { text } }';
let submissions = 0;
const submission = (job: (side: Side) => object, number = (submissions += 1)): Step => ({
  name: 'submitJobs',
  text: 'mutation ($i: SubmitJobsInput!) { submitJobs(input: $i) { jobs { id } userErrors { code message path } } }',
  variables: (side) => ({
    i: {
      experiment: 'alpha',
      idempotencyKey: `key ${number}`,
      jobs: [{ name: 'x', payload, requirements: large, ...job(side) }],
    },
  }),
});
const taskSubmission = (template: (side: Side) => object, number = (submissions += 1)): Step => ({
  name: 'submitTask',
  text: 'mutation ($i: SubmitTaskInput!) { submitTask(input: $i) { task { id } userErrors { code message path } } }',
  variables: (side) => ({
    i: {
      ...{ experiment: 'alpha', name: 'x', jobs: { count: 2 } },
      idempotencyKey: `task ${number}`,
      template: { name: 'x', payload, requirements: large, ...template(side) },
    },
  }),
});
const reading = (text: string, variables: Step['variables'] = () => ({})): Step => ({
  name: text.slice(0, 60),
  text,
  variables,
});

/** A mutation about foreign objects. */
const changing = (field: string, input: Step['variables'], select = ''): Step => ({
  name: field,
  text: mutationText(field, `${select} userErrors { code message path }`),
  variables: (side) => ({ input: input(side) }),
});

/** Calls that could reach something of the other experiments. */
export const steps: readonly Step[] = [
  reading(`{ jobs { nodes { ${jobFields} } totalCount pageInfo { hasNextPage } } }`),
  reading('{ jobs(filter: { labels: ["canary=beta"] }) { nodes { id } totalCount } }'),
  reading('{ jobs(filter: { experiments: ["beta"] }) { nodes { id } totalCount } }'),
  reading('{ jobs(filter: { queues: ["theirs"] }) { nodes { id } totalCount } }'),
  reading(
    'query ($c: String) { jobs(first: 2, after: $c) { nodes { name } pageInfo { hasNextPage } } }',
    ({ cursors }) => ({ c: cursors.jobs }),
  ),
  reading(`query ($id: ID!) { job(id: $id) { ${jobFields} } }`, ({ foreign }) => ({ id: foreign.jobId })),
  reading(`query ($id: ID!) { job(id: $id) { ${jobFields} } }`, ({ jobs }) => ({ id: jobs[0] })),
  reading('query ($id: ID!) { task(id: $id) { id progress { totalJobs } } }', ({ foreign }) => ({
    id: foreign.taskId,
  })),
  reading('{ tasks { nodes { id name } totalCount } }'),
  reading('query ($id: ID!) { worker(id: $id) { id name } }', ({ foreign }) => ({ id: foreign.workerId })),
  reading('{ workers { nodes { name state host queue { name } } totalCount } }'),
  reading('{ queue(name: "theirs") { name site { name } } }'),
  reading('{ queues { nodes { name state } totalCount } }'),
  reading('query ($id: ID!) { bulkOperation(id: $id) { id state } }', ({ foreign }) => ({
    id: foreign.operationId,
  })),
  reading('{ jobCounts { experimentName queueName sharePath state count } }'),
  reading('{ jobCounts(filter: { experiments: ["beta"] }) { state count } }'),
  reading('{ jobCounts(filter: { queues: ["theirs"] }) { state count } }'),
  reading('query ($id: [ID!]) { jobCounts(filter: { taskIds: $id }) { state count } }', ({ foreign }) => ({
    id: [foreign.taskId],
  })),
  reading(`{ errorSummary(by: [EXPERIMENT, CODE]) { ${errorFields} } }`),
  reading('{ errorSummary(by: [HOST]) { groups { host count } waste { reason count } } }'),
  reading('{ jobs(filter: { text: "canary", states: [ACTIVATED, PENDING] }) { nodes { id } totalCount } }'),
  reading('{ errorSummary(filter: { experiments: ["beta"] }) { count } }'),
  reading('{ errorSummary(filter: { queues: ["theirs"] }) { count groups { code } } }'),
  reading(
    'query ($id: [ID!]) { errorSummary(filter: { taskIds: $id }, by: [TASK]) { groups { count } } }',
    ({ foreign }) => ({
      id: [foreign.taskId],
    }),
  ),
  reading('{ shares(experiment: "beta") { nodes { path } } }'),
  reading('{ experiment(name: "beta") { name title } }'),
  reading('{ experiments { nodes { name } totalCount } }'),
  reading('{ hardwareMap { sites { site { name } gpus { model } } } }'),
  reading('{ hardwareExport(queues: ["theirs"]) { name } }'),
  reading(
    '{ explainRequirements(input: { experiment: "beta" }) { pending { summary } userErrors { message } } }',
  ),
  reading(
    '{ explainRequirements(input: { experiment: "alpha", requirements: { cores: 4096 } }) { pending { summary } userErrors { message } } }',
  ),
  reading(
    '{ explainRequirements(input: { experiment: "alpha", requirements: { queue: "theirs" } }) { pending { summary } userErrors { message } } }',
  ),
  reading(
    '{ explainRequirements(input: { experiment: "alpha", share: "beta/heavy" }) { userErrors { message } } }',
  ),
  onJob('cancelJobs'),
  onJob('holdJobs', { reason: 'mine' }),
  onJob('releaseJobs'),
  onJob('setJobPriority', { priority: 3 }),
  onJob('retryJobs', { idempotencyKey: 'retry' }),
  onTask('pauseTask', { reason: 'mine' }),
  onTask('resumeTask'),
  onTask('finishTask'),
  onTask('abortTask'),
  {
    name: 'changeTask',
    text: mutationText('changeTask', 'task { id } laterJobCount userErrors { code message path }'),
    variables: ({ foreign }) => ({ input: { taskId: foreign.taskId, changes: { memoryMiB: 99 } } }),
  },
  {
    name: 'endScouting',
    text: mutationText('endScouting', 'task { id } jobCount userErrors { code message path }'),
    variables: ({ foreign }) => ({ input: { taskId: foreign.taskId } }),
  },
  taskSubmission(({ foreign }) => ({ dependsOn: [foreign.jobId] })),
  taskSubmission(() => ({ requirements: { queue: 'theirs' } })),
  taskSubmission(() => ({ share: 'beta/heavy' })),
  submission(({ foreign }) => ({ dependsOn: [foreign.jobId] })),
  submission(() => ({ requirements: { queue: 'theirs' } })),
  submission(() => ({ share: 'beta/heavy' })),
  submission(() => ({})),
  reading(
    'mutation { setQueueState(input: { name: "theirs", state: "PAUSED", reason: "mine" }) { queue { name } userErrors { code message } } }',
  ),
  reading(
    'mutation { updateQueue(input: { name: "theirs", site: "MINE" }) { queue { name } userErrors { code message } } }',
  ),
  reading(
    'mutation ($i: HeartbeatInput!) { heartbeat(input: $i) { userErrors { code message } } }',
    ({ foreign }) => ({
      i: { workerId: foreign.workerId },
    }),
  ),
  reading(
    'mutation ($i: DrainWorkerInput!) { drainWorker(input: $i) { userErrors { code message } } }',
    ({ foreign }) => ({
      i: { workerId: foreign.workerId },
    }),
  ),
  reading(
    'mutation ($i: RegisterWorkerInput!) { registerWorker(input: $i) { worker { name } userErrors { code message } } }',
    () => ({ i: { queue: 'theirs', host: 'h', name: 'n', version: '1', hardware, idempotencyKey: 'n' } }),
  ),
  // Policies.
  reading('{ policy(scope: { experiment: "beta" }) { id newestVersion } }'),
  reading('{ policy(scope: { queue: "theirs" }) { id newestVersion } }'),
  reading('query ($id: ID!) { policy(scope: { taskId: $id }) { id newestVersion } }', ({ foreign }) => ({
    id: foreign.taskId,
  })),
  reading('{ policies { nodes { name } totalCount } }'),
  reading(
    '{ simulatePolicy(input: { scope: { experiment: "beta" }, version: 1 }) { simulation { scannedJobs } userErrors { code message } } }',
  ),
  reading(
    'query ($id: ID!) { simulatePolicy(input: { scope: { taskId: $id }, version: 1 }) { simulation { scannedJobs } userErrors { code } } }',
    ({ foreign }) => ({ id: foreign.taskId }),
  ),
  changing('addPolicyVersion', () => ({ scope: { experiment: 'beta' }, rules: [neverRule] })),
  changing('addPolicyVersion', () => ({ scope: { queue: 'theirs' }, rules: [neverRule] })),
  changing('enablePolicy', ({ foreign }) => ({ scope: { taskId: foreign.taskId }, version: 1 })),
  changing('disablePolicy', () => ({ scope: { experiment: 'beta' } })),
  // Secrets.
  reading('{ secrets { nodes { id name } totalCount } }'),
  reading('{ secrets(experiment: "beta") { nodes { id name } totalCount } }'),
  reading(
    'query ($c: String) { secrets(experiment: "alpha", after: $c) { nodes { name } totalCount } }',
    ({ cursors }) => ({
      c: cursors.secrets,
    }),
  ),
  reading('query ($id: ID!) { secret(id: $id) { id name version } }', ({ foreign }) => ({
    id: foreign.secretId,
  })),
  changing('createSecret', () => ({ name: 'THEIRS_A', experiment: 'beta', value: 'eight or more' })),
  changing('rotateSecret', ({ foreign }) => ({ id: foreign.secretId, value: 'eight or more' })),
  changing('deleteSecret', ({ foreign }) => ({ id: foreign.secretId }), 'isDeleted'),
  submission(() => ({
    payload: { ...payload, secrets: [{ name: 'THEIRS_A', scope: 'EXPERIMENT', target: 'x' }] },
  })),
  // The audit log.
  reading('{ auditEntries(filter: { kind: MUTATION, experiment: "beta" }) { nodes { id } totalCount } }'),
  reading(
    '{ auditEntries(filter: { action: "Mutation.createSecret" }) { nodes { experimentName } totalCount } }',
  ),
  reading(
    'query ($t: String) { auditEntries(filter: { target: $t, action: "Mutation.drainWorker" }) { nodes { id } totalCount } }',
    () => ({ t: 'theirs' }),
  ),
  reading('query ($id: ID!) { auditEntry(id: $id) { id action } }', ({ foreign }) => ({
    id: foreign.auditEntryId,
  })),
  // Services of experiments.
  reading('{ larkspur { observations { nodes { id } totalCount pageInfo { hasNextPage } } } }'),
  reading('query ($id: ID!) { larkspur { observation(id: $id) { id state } } }', ({ foreign }) => ({
    id: foreign.observationId,
  })),
  reading('{ atlas { tasks { nodes { id campaign } totalCount pageInfo { hasNextPage } } } }'),
  reading('query ($id: ID!) { atlas { task(id: $id) { id campaign } } }', ({ foreign }) => ({
    id: foreign.atlasTaskId,
  })),
  reading('{ rubin { workflows { nodes { id name } totalCount pageInfo { hasNextPage } } } }'),
  reading('query ($id: ID!) { rubin { workflow(id: $id) { id name } } }', ({ foreign }) => ({
    id: foreign.workflowId,
  })),
  ...['submitAtlasTask', 'submitRubinWorkflow'].map((field) =>
    changing(field, () => ({ ...experimentInputs[field]?.(), idempotencyKey: 'theirs' })),
  ),
  changing('retryRubinWorkflow', ({ foreign }) => ({
    ...{ workflowId: foreign.workflowId, idempotencyKey: 'theirs' },
  })),
  reading('{ epic { runs { nodes { runNumber } totalCount } run(runNumber: 7) { phase } } }'),
  reading('{ epic { liveRuns { nodes { runNumber } totalCount } liveRun(runNumber: 7) { phase } } }'),
  reading('{ epic { siteBreakers { siteName } } }'),
  ...Object.entries(liveRunInputs).map(([field, input]) => changing(field, input)),
  changing('submitEpicRun', () => ({ ...experimentInputs['submitEpicRun']?.(), idempotencyKey: 'mine' })),
  changing('submitLarkspurObservation', () => ({
    ...{ ...experimentInputs['submitLarkspurObservation']?.(), idempotencyKey: 'theirs' },
  })),
  // Access to jobs.
  reading('{ jobAccess { nodes { id level grantee { subject } } totalCount } }'),
  changing('grantJobAccess', ({ foreign }) => ({
    ...{ experiment: 'alpha', grantee: { subject: 'mine@example' }, level: 'MANAGE' },
    jobs: { jobId: foreign.jobId },
  })),
  changing('grantJobAccess', ({ foreign }) => ({
    ...{ experiment: 'beta', grantee: { subject: 'mine@example' }, level: 'MANAGE' },
    jobs: { taskId: foreign.taskId },
  })),
  changing('revokeJobAccess', ({ foreign }) => ({ id: foreign.accessId })),
  // The schema registry.
  reading('{ subgraphs { name endpoint pendingEndpoint } }'),
  changing('registerSubgraph', () => ({
    ...{ name: 'larkspur', endpoint: 'http://mine.test/graphql', typePrefix: 'Larkspur' },
  })),
  changing('withdrawSubgraph', () => ({ subgraph: 'larkspur', note: 'mine' })),
];
