/** Every mutation on objects of the experiment atlas, with each role of larkspur, and by nobody. */
import { mutationText } from '../../e2e/system/api.js';
import { neverRule } from '../../e2e/system/idle-inputs.js';
import type { AttackSystem } from './attack-system.js';
import type { Caller } from './attackers.js';
import type { AttackCase } from './case.js';
import { experimentInputs, liveRunInputs } from '../experiment-inputs.js';
import { robotInput, robotKeyInput } from '../robot-inputs.js';
import { http } from './http.js';

type Inputs = (system: AttackSystem) => object;

const job = { name: 'x', payload: { command: 'true' } };
const hardware = { architecture: 'x86_64', cores: 1, memoryMiB: 1, diskMiB: 1 };
const selection: Inputs = ({ targets }) => ({ selection: { ids: [targets.job] } });
/** The job that the worker runs, as its reports name it. */
export const held = ({ targets }: AttackSystem): { readonly id: string; readonly fence: number } => ({
  id: targets.held.job.id,
  fence: targets.held.fence,
});
const key = { idempotencyKey: 'attack' };
const downtime = {
  ...{ startsAt: '2026-01-01T00:00:00.000Z', endsAt: '2027-01-01T00:00:00.000Z', reason: 'attack' },
};
const hostOfAttack = { host: 'keep-1', reason: 'attack' };
const reportedUnit = { units: [{ id: 'unit_01J0000000000000000000000A.1.0', fence: 1 }] };
const endpoint = 'http://127.0.0.1:9/graphql';
const sdl = 'type Query { atlas: Int }';

/** Inputs of the mutations, by name. */
export const inputs: Readonly<Record<string, Inputs>> = {
  submitJobs: () => ({ experiment: 'atlas', ...key, jobs: [job] }),
  submitTask: () => ({ experiment: 'atlas', ...key, name: 'x', template: job, jobs: { count: 1 } }),
  cancelJobs: selection,
  retryJobs: (system) => ({ ...selection(system), ...key }),
  holdJobs: (system) => ({ ...selection(system), reason: 'attack' }),
  releaseJobs: selection,
  setJobPriority: (system) => ({ ...selection(system), priority: 9 }),
  pauseTask: ({ targets }) => ({ taskId: targets.task, reason: 'attack' }),
  resumeTask: ({ targets }) => ({ taskId: targets.task }),
  finishTask: ({ targets }) => ({ taskId: targets.task }),
  abortTask: ({ targets }) => ({ taskId: targets.task }),
  submitWorkflow: () => ({
    ...{ experiment: 'atlas', ...key, name: 'x' },
    nodes: [{ name: 'x', payload: { command: 'true' } }],
  }),
  appendWorkflowNodes: ({ targets }) => ({
    ...{ workflowId: targets.workflow, part: 1 },
    nodes: [{ name: 'x', payload: { command: 'true' } }],
  }),
  sealWorkflow: ({ targets }) => ({ workflowId: targets.workflow }),
  pauseWorkflow: ({ targets }) => ({ workflowId: targets.workflow, reason: 'attack' }),
  resumeWorkflow: ({ targets }) => ({ workflowId: targets.workflow }),
  cancelWorkflow: ({ targets }) => ({ workflowId: targets.workflow }),
  retryWorkflow: ({ targets }) => ({ workflowId: targets.workflow }),
  retryRubinWorkflow: ({ targets }) => ({ ...key, workflowId: targets.rubinWorkflow }),
  cloneWorkflow: ({ targets }) => ({ ...key, workflowId: targets.workflow }),
  markWorkflowNodes: ({ targets }) => ({
    ...{ workflowId: targets.workflow, nodes: ['guarded'], state: 'SUCCEEDED', reason: 'attack' },
  }),
  createWorkPool: () => ({ experiment: 'atlas', name: 'mine' }),
  createDataset: () => ({ experiment: 'atlas', name: 'mine' }),
  appendDatasetFiles: ({ targets }) => ({
    ...{ datasetId: targets.dataset, files: [{ name: 'attack', sizeBytes: 1 }] },
  }),
  setDatasetReplicas: ({ targets }) => ({
    datasetId: targets.dataset,
    replicas: [{ fileName: 'guarded', location: 'https://evil.example/x' }],
  }),
  closeDataset: ({ targets }) => ({ datasetId: targets.dataset }),
  removeDataset: ({ targets }) => ({ datasetId: targets.dataset }),
  setFilePolicy: ({ targets }) => ({
    ...{ experiment: 'atlas', name: 'guarded', rules: { datasetId: targets.dataset, keepDays: 1 } },
  }),
  deleteDatasetFiles: ({ targets }) => ({ datasetId: targets.dataset }),
  restoreDatasetFiles: ({ targets }) => ({ datasetId: targets.dataset }),
  createFleet: ({ targets }) => ({
    ...{ poolId: targets.pool, name: 'mine', job: { name: 'mine', payload: { command: 'true' } } },
  }),
  updateFleet: ({ targets }) => ({ fleetId: targets.fleet, settings: { max: 5 } }),
  pauseFleet: ({ targets }) => ({ fleetId: targets.fleet, reason: 'attack' }),
  resumeFleet: ({ targets }) => ({ fleetId: targets.fleet }),
  prewarmFleet: ({ targets }) => ({ fleetId: targets.fleet, jobs: 0, until: '2090-01-01T00:00:00.000Z' }),
  drainFleet: ({ targets }) => ({ fleetId: targets.fleet }),
  publishWorkUnits: ({ targets }) => ({ poolId: targets.pool, units: [{ key: 'attack', payload: 'x' }] }),
  closeWorkPool: ({ targets }) => ({ poolId: targets.pool }),
  resubmitWorkUnits: ({ targets }) => ({ poolId: targets.pool }),
  addWorkflowNodes: () => ({ ...key, nodes: [{ name: 'x', payload: { command: 'true' } }] }),
  leaseWorkUnits: ({ targets }) => ({ pool: targets.pool }),
  completeWorkUnits: () => reportedUnit,
  failWorkUnits: () => reportedUnit,
  extendWorkUnits: () => reportedUnit,
  endScouting: ({ targets }) => ({ taskId: targets.task }),
  changeTask: ({ targets }) => ({ taskId: targets.task, changes: { memoryMiB: 9 } }),
  registerExperiment: () => ({ name: 'atlas', title: 'Mine' }),
  updateExperiment: () => ({ name: 'atlas', title: 'Mine' }),
  setShares: () => ({ experiment: 'atlas', shares: [{ leaf: 'default', nominalCores: 1 }] }),
  addPolicyVersion: () => ({ scope: { experiment: 'atlas' }, rules: [neverRule] }),
  enablePolicy: () => ({ scope: { experiment: 'atlas' }, version: 1 }),
  disablePolicy: () => ({ scope: { experiment: 'atlas' } }),
  createQueue: () => ({ name: 'attack', site: 'POLE', experiments: ['atlas'], ...key }),
  updateQueue: ({ targets }) => ({ name: targets.queue, site: 'MINE' }),
  setQueueState: ({ targets }) => ({ name: targets.queue, state: 'PAUSED', reason: 'attack' }),
  declareDowntime: ({ targets }) => ({ target: { queue: targets.queue }, ...downtime }),
  changeDowntime: ({ targets }) => ({ id: targets.downtime, ...downtime }),
  cancelDowntime: ({ targets }) => ({ id: targets.downtime }),
  importDowntimes: ({ targets }) => ({
    source: 'attack',
    downtimes: [{ sourceId: '1', target: { queue: targets.queue }, ...downtime }],
  }),
  excludeHost: ({ targets }) => ({ queue: targets.queue, ...hostOfAttack }),
  pinHost: ({ targets }) => ({ queue: targets.queue, ...hostOfAttack, to: 'OUT' }),
  clearHost: ({ targets }) => ({ queue: targets.queue, host: hostOfAttack.host }),
  registerWorker: ({ targets }) => ({
    queue: targets.queue,
    host: 'spoken',
    name: 'spoken',
    hardware,
    version: '1',
    ...key,
  }),
  heartbeat: ({ targets }) => ({ workerId: targets.worker, jobs: [] }),
  acquireJobs: ({ targets }) => ({
    workerId: targets.worker,
    free: { cores: 9, memoryMiB: 999, diskMiB: 999 },
  }),
  startJobs: (system) => ({ workerId: system.targets.worker, jobs: [{ ...held(system), phase: 'RUNNING' }] }),
  finishJobs: (system) => ({
    workerId: system.targets.worker,
    jobs: [{ ...held(system), phase: 'FINISHED' }],
  }),
  failJobs: (system) => ({
    workerId: system.targets.worker,
    jobs: [{ ...held(system), error: { family: 'PAYLOAD', code: 'X', message: 'attack' } }],
  }),
  reportCheckpoints: (system) => ({
    workerId: system.targets.worker,
    jobs: [{ ...held(system), checkpoints: [] }],
  }),
  drainWorker: ({ targets }) => ({ workerId: targets.worker, reason: 'attack' }),
  requestPilots: ({ targets }) => ({
    ...{ queue: targets.queue, executor: 'attack', instance: 'attack', experiment: 'atlas', shape: 'small' },
    ...{ classId: `class_${'0'.repeat(26)}`, jobsPerPilot: 1, count: 1, maxOpenPilots: 1, ...key },
  }),
  reportPilots: ({ targets }) => ({ queue: targets.queue, instance: 'attack', pilots: [] }),
  reportEndedBatchJobs: ({ targets }) => ({ queue: targets.queue, batchJobIds: ['attack'] }),
  appendJobLog: ({ targets }) => ({
    ...{ workerId: targets.worker, jobId: targets.held.job.id, fence: targets.held.fence },
    chunks: [{ sequence: 0, stream: 'STDOUT', text: 'attack', at: '2026-01-01T00:00:00.000Z' }],
  }),
  grantJobAccess: ({ targets }) => ({
    ...{ experiment: 'atlas', grantee: { subject: 'me@example' }, level: 'MANAGE' },
    jobs: { jobId: targets.job },
  }),
  revokeJobAccess: ({ targets }) => ({ id: targets.access }),
  createSecret: () => ({ name: 'MINE', value: 'of an attacker', experiment: 'atlas' }),
  rotateSecret: ({ targets }) => ({ id: targets.secret, value: 'of an attacker' }),
  deleteSecret: ({ targets }) => ({ id: targets.secret }),
  createStorage: () => ({ name: 'mine', provider: 'FOLDER', address: 'https://evil.example' }),
  setStorage: () => ({ name: 'playground', address: 'https://evil.example' }),
  removeStorage: () => ({ name: 'playground' }),
  createUpload: () => ({
    ...{ experiment: 'atlas', name: 'of an attacker', fileCount: 1, parts: [] },
    manifest: { sizeBytes: 1, sha256: 'ab'.repeat(32) },
  }),
  completeUpload: () => ({ id: 'upload_nowhere' }),
  removeUpload: () => ({ id: 'upload_nowhere' }),
  signJobFiles: ({ targets }) => ({
    ...{ workerId: targets.worker, jobId: targets.held.job.id, fence: targets.held.fence },
    reads: [{ name: 'x' }],
  }),
  redeemSecrets: ({ targets }) => ({
    ...{ workerId: targets.worker, jobId: targets.held.job.id, fence: targets.held.fence },
    ...{ secretIds: [targets.secret], request: 'x.y.z' },
  }),
  reportGateway: () => ({ isAcceptingPilots: false }),
  ...Object.fromEntries(
    Object.entries(experimentInputs).map(([name, input]) => [name, () => ({ ...input(), ...key })]),
  ),
  ...liveRunInputs,
  allowSubmissionOnBehalf: () => ({ experiment: 'atlas' }),
  withdrawSubmissionConsent: () => ({ experiment: 'atlas' }),
  setTokenIssuer: () => ({
    ...{ name: 'mine', issuer: 'https://evil.example', profile: 'OIDC', audiences: ['rhizome'] },
    ...{ experiments: ['*'], roles: ['ADMIN'] },
  }),
  removeTokenIssuer: () => ({ name: 'institute' }),
  setMembership: ({ login }) => ({ principalId: login.principal, experiment: '*', roles: ['ADMIN'] }),
  revokeTokens: () => ({ kind: 'PRINCIPAL', value: 'playground:newcomer' }),
  suspendPrincipal: ({ login }) => ({ id: login.principal }),
  rotateSigningKey: () => ({}),
  inviteWorkers: ({ targets }) => ({ queue: targets.queue, experiments: ['*'] }),
  decideEnrolment: ({ targets }) => ({
    ...{ id: targets.enrolment, isApproved: true, experiments: ['larkspur'] },
  }),
  endEnrolment: ({ targets }) => ({ id: targets.enrolment }),
  setGroup: () => ({ experiment: '*', name: 'mine', roles: ['ADMIN'] }),
  setGroupMember: ({ targets, login }) => ({ groupId: targets.group, principalId: login.principal }),
  startElevation: () => ({ experiment: '*', roles: ['ADMIN'], reason: 'the reason of an attacker' }),
  endElevation: () => ({ id: 'elv_00000000000000000000000000' }),
  linkIdentity: () => ({ token: 'x.y.z' }),
  unlinkIdentity: ({ login }) => ({ principalId: login.principal }),
  registerRobot: () => robotInput('*', ['OPERATOR']),
  addRobotKey: ({ targets }) => robotKeyInput(targets.robot),
  endRobotKey: ({ targets }) => ({ id: targets.robotKey }),
  createProposal: ({ targets }) => ({
    operation: 'mutation ($i: CancelJobsInput!) { cancelJobs(input: $i) { userErrors { code } } }',
    ...{ variables: { i: { selection: { ids: [targets.job] } } }, reason: 'attack' },
  }),
  approveProposal: ({ targets }) => ({ id: targets.proposal }),
  denyProposal: ({ targets }) => ({ id: targets.proposal }),
  withdrawProposal: ({ targets }) => ({ id: targets.proposal }),
  setAgentBudget: () => ({ experiment: 'atlas', unit: 'CALLS', window: 'DAY', limit: 1 }),
  stopAgents: () => ({ experiment: 'atlas', reason: 'attack' }),
  resumeAgents: () => ({ experiment: 'atlas', agent: 'agt_none' }),
  grantMandate: () => ({
    ...{ agent: 'agt_none', experiment: 'atlas', mutation: 'holdJobs', free: ['selection', 'reason'] },
    ...{ maxPerDay: 9, expiresAt: new Date(Date.now() + 86_400_000).toISOString(), reason: 'attack' },
  }),
  revokeMandate: ({ targets }) => ({ id: targets.mandate }),
  registerSubgraph: () => ({ name: 'atlas', endpoint, typePrefix: 'Atlas' }),
  checkSchema: () => ({ subgraph: 'atlas', sdl }),
  publishSchema: () => ({ subgraph: 'atlas', sdl, note: 'attack' }),
  rollbackSchema: () => ({ subgraph: 'atlas' }),
  withdrawSubgraph: () => ({ subgraph: 'atlas', note: 'attack' }),
};

/** Mutations of identities need the gateway that has some. */
export const ofIdentities = new Set([
  ...['setTokenIssuer', 'removeTokenIssuer', 'setMembership', 'revokeTokens', 'suspendPrincipal'],
  ...['rotateSigningKey', 'inviteWorkers', 'decideEnrolment', 'endEnrolment'],
  ...['setGroup', 'setGroupMember', 'startElevation', 'endElevation'],
  ...['linkIdentity', 'unlinkIdentity'],
  ...['registerRobot', 'addRobotKey', 'endRobotKey'],
]);

/** Codes by which a foreign object is refused, or does not exist. */
export const refusals = [
  ...[
    'FORBIDDEN',
    'NOT_FOUND',
    'JOB_NOT_FOUND',
    'QUEUE_NOT_FOUND',
    'WORKER_NOT_FOUND',
    'EXPERIMENT_NOT_FOUND',
  ],
  ...[
    'TASK_NOT_FOUND',
    'SUBGRAPH_NOT_FOUND',
    'PRINCIPAL_NOT_FOUND',
    'ENROLMENT_NOT_FOUND',
    'ISSUER_NOT_FOUND',
    'SECRET_NOT_FOUND',
    'UPLOAD_NOT_FOUND',
    'GROUP_NOT_FOUND',
    'NOT_ELEVATABLE',
    'ACCESS_NOT_FOUND',
    'DOWNTIME_NOT_FOUND',
    'TARGET_NOT_FOUND',
    'ELEVATION_NOT_FOUND',
    'LINK_NOT_FOUND',
    'ROBOT_NOT_FOUND',
    'ROBOT_KEY_NOT_FOUND',
    'POOL_NOT_FOUND',
    'WORKFLOW_NOT_FOUND',
    'FLEET_NOT_FOUND',
    'DATASET_NOT_FOUND',
    'PROPOSAL_NOT_FOUND',
    'MANDATE_NOT_FOUND',
  ],
];

/**
 * Mutations that are not refused, and change nothing: a secret that does not exist, and one that the caller
 * may not see, is deleted without an error, and so is a consent that the caller has not given.
 */
const harmless = new Set(['deleteSecret', 'withdrawSubmissionConsent']);

const roles: readonly Caller[] = [
  'reader',
  'user',
  'production',
  'operator',
  'admin',
  'pilot',
  'agent',
  'service',
];

function attack(mutation: string, input: Inputs, as: Caller): AttackCase {
  const at = ofIdentities.has(mutation) ? 'identities' : 'gateway';
  // Everybody has a role in larkspur, so those of atlas attack what belongs to it.
  const home = mutation === 'submitLarkspurObservation' ? 'atlas' : 'larkspur';
  const body: Inputs = (system) => ({
    query: mutationText(mutation),
    variables: { input: input(system) },
  });
  const refused = harmless.has(mutation) ? { status: 200 } : { status: 200, code: refusals };
  const expected = as === 'nobody' ? { status: 401, code: 'UNAUTHENTICATED' } : refused;
  return http(`${mutation} by ${as}`, { as, home, at, body }, expected, [`Mutation.${mutation}`]);
}

/** All of them. */
export const roleCases: readonly AttackCase[] = Object.entries(inputs).flatMap(([mutation, input]) =>
  (['nobody', ...roles] as const).map((as) => attack(mutation, input, as)),
);
