/** For each mutation of the public schema an input that is accepted. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { farDowntime, neverRule } from '../system/idle-inputs.js';
import { root } from '../system/playground-system.js';
import type { Grant } from '../system/pilots.js';

/** Data that exists before the table runs. */
export interface Given {
  readonly workerId: string;
  /** A job that the worker runs, with a declared output; one for each report. */
  readonly held: Readonly<Record<'start' | 'finish' | 'fail' | 'log', Grant>>;
  /** Jobs that wait, one for each change. */
  readonly waiting: Readonly<Record<'cancelJobs' | 'holdJobs' | 'setJobPriority' | 'updateQueue', string>>;
  /** A job that is held, and one that has ended. */
  readonly onHold: string;
  readonly ended: string;
  /** A task whose jobs no worker takes. */
  readonly taskId: string;
  /** A secret of the caller. */
  readonly secretId: string;
  /** A downtime of the queue. */
  readonly downtimeId: string;
  /** Access to jobs of the caller that somebody has. */
  readonly accessId: string;
  /** A pool of work units. */
  readonly poolId: string;
  /** A dataset with the file "given". */
  readonly datasetId: string;
  /** A fleet without jobs. */
  readonly fleetId: string;
  /** A workflow whose node "given" waits for another. */
  readonly workflowId: string;
  /** A workflow to which parts may be appended. */
  readonly openWorkflowId: string;
  /** A workflow of the service of workflows from quantum graphs. */
  readonly rubinWorkflowId: string;
}

/** A key that was used with other content. */
export const usedKey = 'used';
/** A queue that is there, whose name is taken. */
export const queueName = 'north';
/** Jobs that are nowhere. */
export const nobody = 'job_00000000000000000000000000';
/** The smallest job. */
export const smallJob = { name: 'a job', payload: { command: 'true' } };
const hardware = { architecture: 'x86_64', cores: 4, memoryMiB: 4096, diskMiB: 4096 };
const shares = ['production', 'analysis', 'default'].map((leaf) => ({ leaf, nominalCores: 1 }));
/** A unit that is nowhere. */
const nowhere = { id: 'unit_01J0000000000000000000000A.1.0', fence: 1 };
const refOf = ({ job, fence }: Grant) => ({ id: job.id, fence });

/** The type of a mutation's input, and a good one. */
export type GoodInputs = Readonly<Record<string, readonly [type: string, input: object]>>;

/** Good inputs, each with a key of its own. */
export function goodInputs({
  workerId,
  held,
  waiting,
  onHold,
  ended,
  taskId,
  secretId,
  accessId,
  downtimeId,
  poolId,
  fleetId,
  workflowId,
  openWorkflowId,
  rubinWorkflowId,
  datasetId,
}: Given): GoodInputs {
  const key = () => ({ idempotencyKey: randomUUID() });
  const select = (id: string) => ({ selection: { ids: [id] } });
  const job = { experiment: 'larkspur', ...key() };
  return {
    submitJobs: ['SubmitJobsInput', { ...job, jobs: [{ ...smallJob, requirements: {} }] }],
    submitTask: ['SubmitTaskInput', { ...job, name: 'a task', template: smallJob, jobs: { count: 2 } }],
    cancelJobs: ['CancelJobsInput', select(waiting.cancelJobs)],
    retryJobs: ['RetryJobsInput', { ...select(ended), ...key() }],
    holdJobs: ['HoldJobsInput', { ...select(waiting.holdJobs), reason: 'for the story' }],
    releaseJobs: ['ReleaseJobsInput', select(onHold)],
    setJobPriority: ['SetJobPriorityInput', { ...select(waiting.setJobPriority), priority: 5 }],
    pauseTask: ['PauseTaskInput', { taskId, reason: 'for the story' }],
    resumeTask: ['ResumeTaskInput', { taskId }],
    finishTask: ['FinishTaskInput', { taskId, isDryRun: true }],
    abortTask: ['AbortTaskInput', { taskId, isDryRun: true }],
    endScouting: ['EndScoutingInput', { taskId, isDryRun: true }],
    changeTask: ['ChangeTaskInput', { taskId, changes: { memoryMiB: 99 }, isDryRun: true }],
    registerExperiment: ['RegisterExperimentInput', { name: 'newcomer', title: 'Newcomer' }],
    updateExperiment: ['UpdateExperimentInput', { name: 'rubin', title: 'Rubin', continuity: {} }],
    allowSubmissionOnBehalf: [
      'AllowSubmissionOnBehalfInput',
      { experiment: 'rubin', days: 30, secretNames: ['TOKEN'] },
    ],
    withdrawSubmissionConsent: ['WithdrawSubmissionConsentInput', { experiment: 'newcomer' }],
    grantJobAccess: [
      'GrantJobAccessInput',
      { experiment: 'rubin', grantee: { subject: 'friend@example' }, level: 'READ' },
    ],
    revokeJobAccess: ['RevokeJobAccessInput', { id: accessId }],
    submitWorkflow: [
      'SubmitWorkflowInput',
      {
        ...{ ...job, ...key(), name: 'a workflow', groupEdges: [] },
        nodes: [{ name: 'a node', payload: { command: 'true' }, dependsOn: [] }],
      },
    ],
    appendWorkflowNodes: [
      'AppendWorkflowNodesInput',
      {
        ...{ workflowId: openWorkflowId, part: 1 },
        nodes: [{ name: 'a node', payload: { command: 'true' }, dependsOn: [] }],
      },
    ],
    sealWorkflow: ['SealWorkflowInput', { workflowId: openWorkflowId }],
    pauseWorkflow: ['PauseWorkflowInput', { workflowId }],
    resumeWorkflow: ['ResumeWorkflowInput', { workflowId }],
    cancelWorkflow: ['CancelWorkflowInput', { workflowId, nodes: ['given'] }],
    retryWorkflow: ['RetryWorkflowInput', { workflowId }],
    cloneWorkflow: ['CloneWorkflowInput', { workflowId, ...key() }],
    markWorkflowNodes: [
      'MarkWorkflowNodesInput',
      { workflowId, nodes: ['given'], state: 'SKIPPED', reason: 'for the story' },
    ],
    createWorkPool: ['CreateWorkPoolInput', { experiment: 'rubin', name: 'a-pool', settings: {} }],
    createFleet: [
      'CreateFleetInput',
      {
        ...{ poolId, name: 'a-fleet', settings: {}, isDryRun: true },
        job: { ...smallJob, requirements: {} },
      },
    ],
    createDataset: ['CreateDatasetInput', { experiment: 'larkspur', name: randomUUID(), metadata: [] }],
    appendDatasetFiles: ['AppendDatasetFilesInput', { datasetId, files: [{ name: 'a', sizeBytes: 1 }] }],
    setDatasetReplicas: [
      'SetDatasetReplicasInput',
      { datasetId, replicas: [{ fileName: 'given', location: 'https://files.test/given' }] },
    ],
    setFilePolicy: [
      'SetFilePolicyInput',
      { experiment: 'larkspur', name: randomUUID(), rules: { datasetId, keepDays: 30 } },
    ],
    deleteDatasetFiles: ['DeleteDatasetFilesInput', { datasetId, isDryRun: true }],
    restoreDatasetFiles: ['RestoreDatasetFilesInput', { datasetId }],
    closeDataset: ['CloseDatasetInput', { datasetId }],
    removeDataset: ['RemoveDatasetInput', { datasetId, isDryRun: true }],
    updateFleet: ['UpdateFleetInput', { fleetId, settings: { max: 5 } }],
    pauseFleet: ['PauseFleetInput', { fleetId, reason: 'for the story' }],
    resumeFleet: ['ResumeFleetInput', { fleetId }],
    prewarmFleet: [
      'PrewarmFleetInput',
      { fleetId, jobs: 0, until: new Date(Date.now() + 3_600_000).toISOString() },
    ],
    drainFleet: ['DrainFleetInput', { fleetId }],
    publishWorkUnits: ['PublishWorkUnitsInput', { poolId, units: [{ key: 'a unit', payload: 'x' }] }],
    resubmitWorkUnits: ['ResubmitWorkUnitsInput', { poolId }],
    closeWorkPool: ['CloseWorkPoolInput', { poolId }],
    addWorkflowNodes: [
      'AddWorkflowNodesInput',
      { ...key(), nodes: [{ name: 'x', payload: { command: 'true' } }] },
    ],
    leaseWorkUnits: ['LeaseWorkUnitsInput', { pool: poolId }],
    completeWorkUnits: ['CompleteWorkUnitsInput', { units: [nowhere] }],
    failWorkUnits: ['FailWorkUnitsInput', { units: [nowhere] }],
    extendWorkUnits: ['ExtendWorkUnitsInput', { units: [nowhere] }],
    createSecret: ['CreateSecretInput', { name: `S_${randomUUID()}`, value: 'eight or more' }],
    rotateSecret: ['RotateSecretInput', { id: secretId, value: 'eight or more' }],
    deleteSecret: ['DeleteSecretInput', { id: 'secret_nowhere' }],
    setShares: ['SetSharesInput', { experiment: 'rubin', shares }],
    addPolicyVersion: ['AddPolicyVersionInput', { scope: { experiment: 'rubin' }, rules: [neverRule] }],
    enablePolicy: ['EnablePolicyInput', { scope: { experiment: 'rubin' }, version: 1 }],
    disablePolicy: ['DisablePolicyInput', { scope: { experiment: 'rubin' } }],
    createQueue: ['CreateQueueInput', { name: 'south', site: 'POLE', ...key(), limits: {} }],
    updateQueue: ['UpdateQueueInput', { name: queueName, site: 'POLE', limits: {} }],
    setQueueState: ['SetQueueStateInput', { name: queueName, state: 'PAUSED', reason: 'for the story' }],
    declareDowntime: ['DeclareDowntimeInput', { target: { queue: queueName }, ...farDowntime, ...key() }],
    changeDowntime: ['ChangeDowntimeInput', { id: downtimeId, reason: 'for the story' }],
    cancelDowntime: ['CancelDowntimeInput', { id: downtimeId }],
    importDowntimes: [
      'ImportDowntimesInput',
      { source: 'story', downtimes: [{ sourceId: '1', target: { queue: queueName }, ...farDowntime }] },
    ],
    excludeHost: ['ExcludeHostInput', { queue: queueName, host: 'elsewhere', reason: 'for the story' }],
    pinHost: ['PinHostInput', { queue: queueName, host: 'elsewhere', to: 'IN', reason: 'for the story' }],
    clearHost: ['ClearHostInput', { queue: queueName, host: 'elsewhere' }],
    registerWorker: [
      'RegisterWorkerInput',
      { queue: queueName, host: 'h', name: 'w', hardware, version: '1', ...key() },
    ],
    // Core takes a job that has not begun from a worker that does not list it.
    heartbeat: ['HeartbeatInput', { workerId, jobs: Object.values(held).map(refOf) }],
    acquireJobs: ['AcquireJobsInput', { workerId, free: { cores: 0, memoryMiB: 0, diskMiB: 0 } }],
    startJobs: ['StartJobsInput', { workerId, jobs: [{ ...refOf(held.start), phase: 'RUNNING' }] }],
    finishJobs: ['FinishJobsInput', { workerId, jobs: [{ ...refOf(held.finish), phase: 'HOLDING' }] }],
    failJobs: [
      'FailJobsInput',
      { workerId, jobs: [{ ...refOf(held.fail), error: { family: 'PAYLOAD', code: 'X', message: 'm' } }] },
    ],
    reportCheckpoints: [
      'ReportCheckpointsInput',
      { workerId, jobs: [{ ...refOf(held.log), checkpoints: [checkpoint] }] },
    ],
    drainWorker: ['DrainWorkerInput', { workerId, reason: 'for the story' }],
    requestPilots: [
      'RequestPilotsInput',
      {
        ...{ queue: queueName, executor: 'site', instance: 'site 1', experiment: 'atlas', shape: 'small' },
        ...{ classId: `class_${'0'.repeat(26)}`, jobsPerPilot: 1, count: 1, maxOpenPilots: 1 },
        idempotencyKey: 'pilots',
      },
    ],
    reportPilots: [
      'ReportPilotsInput',
      { queue: queueName, instance: 'site 1', pilots: [{ id: 'pilot_0', state: 'PENDING' }] },
    ],
    reportEndedBatchJobs: ['ReportEndedBatchJobsInput', { queue: queueName, batchJobIds: ['none'] }],
    appendJobLog: [
      'AppendJobLogInput',
      { workerId, jobId: held.log.job.id, fence: held.log.fence, chunks: [chunk] },
    ],
    reportGateway: ['ReportGatewayInput', { isAcceptingPilots: true }],
    createStorage: [
      'CreateStorageInput',
      { name: 'a-storage', provider: 'FOLDER', address: 'https://files.test', isDryRun: true },
    ],
    setStorage: ['SetStorageInput', { name: 'given', siteName: 'POLE' }],
    removeStorage: ['RemoveStorageInput', { name: 'given', isDryRun: true }],
    createUpload: [
      'CreateUploadInput',
      {
        ...{ experiment: 'rubin', name: 'analysis', fileCount: 1 },
        ...{ manifest: aPart, parts: [aPart] },
      },
    ],
    completeUpload: ['CompleteUploadInput', { id: 'upload_nowhere' }],
    removeUpload: ['RemoveUploadInput', { id: 'upload_nowhere' }],
    signJobFiles: [
      'SignJobFilesInput',
      { workerId, jobId: held.log.job.id, fence: held.log.fence, reads: [], writes: [] },
    ],
    redeemSecrets: [
      'RedeemSecretsInput',
      {
        ...{ workerId, jobId: held.log.job.id, fence: held.log.fence },
        ...{ secretIds: [secretId], request: 'a signed request' },
      },
    ],
    ...experimentInputs(rubinWorkflowId),
    ...schemaInputs(),
  };
}

const aPart = { sizeBytes: 1, sha256: 'ab'.repeat(32) };

const checkpoint = {
  attempt: 1,
  madeAt: '2026-01-01T00:00:00.000Z',
  files: [{ name: 'state', location: 'job/attempt/state', sizeBytes: 1, sha256: 'a'.repeat(64) }],
};
const chunk = { sequence: 0, stream: 'STDOUT', text: 'text', at: '2026-01-01T00:00:00.000Z' };

function schemaInputs(): GoodInputs {
  const endpoint = 'http://127.0.0.1:9/graphql';
  const sdl = readFileSync(join(root, 'experiments/larkspur/src/schema.graphql'), 'utf8');
  return {
    registerSubgraph: ['RegisterSubgraphInput', { name: 'heron', endpoint, typePrefix: 'Heron' }],
    checkSchema: ['CheckSchemaInput', { subgraph: 'larkspur', sdl }],
    publishSchema: ['PublishSchemaInput', { subgraph: 'larkspur', sdl, note: 'as it is' }],
    rollbackSchema: ['RollbackSchemaInput', { subgraph: 'larkspur' }],
    withdrawSubgraph: ['WithdrawSubgraphInput', { subgraph: 'larkspur', note: 'no longer needed' }],
  };
}

function experimentInputs(rubinWorkflowId: string): GoodInputs {
  const key = () => ({ idempotencyKey: randomUUID() });
  const transform = { step: 'EVGEN', command: ['true'], output: 'events' };
  const quantum = { name: 'a', label: 'isr', dataId: 'visit=1' };
  return {
    submitLarkspurObservation: [
      'SubmitLarkspurObservationInput',
      { ...key(), field: 'LK-042', band: 'RED', exposures: 2, exposureSeconds: 30, command: 'true' },
    ],
    submitAtlasTask: [
      'SubmitAtlasTaskInput',
      {
        ...{ ...key(), campaign: 'mc23e', requestId: 1, physicsShort: 'Zmumu' },
        ...{ totalEvents: 10, eventsPerJob: 5, transforms: [transform] },
      },
    ],
    submitEpicRun: [
      'SubmitEpicRunInput',
      {
        ...{ ...key(), runNumber: 7, detectorConfiguration: 'epic', command: 'true' },
        ...{ superTimeFrames: 10, framesPerGroup: 5 },
      },
    ],
    retryRubinWorkflow: ['RetryRubinWorkflowInput', { ...key(), workflowId: rubinWorkflowId }],
    announceEpicLiveRun: [
      'AnnounceEpicLiveRunInput',
      {
        ...{ runNumber: 8, detectorConfiguration: 'epic' },
        paths: [{ name: 'FAST', command: 'true', maxWorkers: 1 }],
      },
    ],
    announceEpicRunState: [
      'AnnounceEpicRunStateInput',
      { runNumber: 8, facet: 'MACHINE', state: 'BEAM', at: '2026-01-01T00:00:00.000Z' },
    ],
    announceEpicTimeFrames: [
      'AnnounceEpicTimeFramesInput',
      {
        runNumber: 8,
        frames: [{ number: 1, location: 'x', bytes: 1, recordedAt: '2026-01-01T00:00:00.000Z' }],
      },
    ],
    setEpicSiteFeed: ['SetEpicSiteFeedInput', { site: 'POLE', isHeld: false, reason: 'test' }],
    submitRubinWorkflow: [
      'SubmitRubinWorkflowInput',
      {
        ...{ ...key(), name: 'u/x', pipeline: 'DRP', command: 'true' },
        quanta: [quantum, { ...quantum, name: 'b', needs: ['a'] }],
      },
    ],
  };
}
