/** For tests: what callers may do with the mutations of core. */
import { farDowntime, free, neverRule, otherHost, registration, type World } from './access.fixture.js';
import type { Row } from './access-row.fixture.js';

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

const taskChange = (field: string, more: object = {}): Row => ({
  text: `${input(field)} { task { id } userErrors { code } } }`,
  variables: ({ taskId }) => ({ input: { taskId, ...more } }),
  got: (answer: { [field: string]: { task: unknown } }) => answer[field]?.task,
  outcomes: 'r r r e e r',
});

const policyChange = (field: string, more: object = {}): Row => ({
  text: `${input(field)} { policy { id } userErrors { code } } }`,
  variables: () => ({ input: { scope: { experiment: 'alpha' }, ...more } }),
  got: (answer: { [field: string]: { policy: unknown } }) => answer[field]?.policy,
  outcomes: 'r r r e e r',
});

const workflowChange = (field: string, more: object = {}): Row => ({
  text: `${input(field)} { workflow { id } userErrors { code } } }`,
  variables: ({ workflowId }) => ({ input: { workflowId, ...more } }),
  got: (answer: { [field: string]: { workflow: unknown } }) => answer[field]?.workflow,
  outcomes: 'r r r e e r',
});

const datasetChange = (field: string, more: object = {}): Row => ({
  text: `${input(field)} { userErrors { code } } }`,
  variables: ({ datasetId }) => ({ input: { datasetId, ...more } }),
  got: (answer: { [field: string]: { userErrors: unknown[] } }) => answer[field]?.userErrors.length === 0,
  outcomes: 'r r r e e r',
});
const fleetChange = (field: string, more: object = {}): Row => ({
  text: `${input(field)} { fleet { id } userErrors { code } } }`,
  variables: ({ fleetId }) => ({ input: { fleetId, ...more } }),
  got: (answer: { [field: string]: { fleet: unknown } }) => answer[field]?.fleet,
  outcomes: 'r r r e e r',
});

const poolChange = (field: string, more: object = {}): Row => ({
  text: `${input(field)} { userErrors { code } } }`,
  variables: ({ poolId }) => ({ input: { poolId, ...more } }),
  got: (answer: Reported) => answer[field]?.userErrors.length === 0,
  outcomes: 'r r r e e r',
});
/** Only the token of an attempt works on units. */
const unitReport = (field: string): Row => ({
  text: `${input(field)} { acceptedIds } }`,
  variables: ({ unitId }) => ({ input: { units: [{ id: unitId, fence: 1 }] } }),
  outcomes: 'r r r r r r',
});

/** Mutations. */
export const mutationRows: Readonly<Record<string, Row>> = {
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
  'Mutation.grantJobAccess': {
    text: `${input('grantJobAccess')} { access { id } } }`,
    variables: () => ({ input: { experiment: 'alpha', grantee: { subject: 'x@example' }, level: 'READ' } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.revokeJobAccess': {
    text: `${input('revokeJobAccess')} { access { id } } }`,
    variables: ({ accessId }) => ({ input: { id: accessId } }),
    got: ({ revokeJobAccess }: { revokeJobAccess: { access: object | null } }) => revokeJobAccess.access,
    outcomes: 'e e e e e e',
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
  'Mutation.createStorage': {
    text: `${input('createStorage')} { storage { name } } }`,
    variables: () => ({
      input: { name: 'ours', provider: 'FOLDER', address: 'https://files.test', experiments: ['beta'] },
    }),
    outcomes: 'r r r r r r',
  },
  'Mutation.setStorage': {
    text: `${input('setStorage')} { storage { name } } }`,
    variables: () => ({ input: { name: 'vault', isDefault: true } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.removeStorage': {
    text: `${input('removeStorage')} { storage { name } } }`,
    variables: () => ({ input: { name: 'vault' } }),
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
  'Mutation.declareDowntime': {
    text: `${input('declareDowntime')} { downtime { id } } }`,
    variables: () => ({ input: { target: { queue: 'north' }, ...farDowntime } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.changeDowntime': {
    text: `${input('changeDowntime')} { downtime { id } } }`,
    variables: ({ downtimeId: id }) => ({ input: { id, reason: 'because' } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.cancelDowntime': {
    text: `${input('cancelDowntime')} { downtime { id } } }`,
    variables: ({ downtimeId: id }) => ({ input: { id } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.importDowntimes': {
    text: `${input('importDowntimes')} { created { id } } }`,
    variables: () => ({
      input: { source: 'x', downtimes: [{ sourceId: '1', target: { queue: 'north' }, ...farDowntime }] },
    }),
    outcomes: 'r r r r r r',
  },
  'Mutation.excludeHost': {
    text: `${input('excludeHost')} { host { id } } }`,
    variables: () => ({ input: otherHost }),
    outcomes: 'r r r r r r',
  },
  'Mutation.pinHost': {
    text: `${input('pinHost')} { host { id } } }`,
    variables: () => ({ input: { ...otherHost, to: 'OUT' } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.clearHost': {
    text: `${input('clearHost')} { host { id } } }`,
    variables: () => ({ input: { queue: otherHost.queue, host: otherHost.host } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.submitWorkflow': {
    text: `${input('submitWorkflow')} { workflow { id } } }`,
    variables: (_world, caller) => ({
      input: {
        ...{ experiment: 'alpha', idempotencyKey: caller, name: 'x' },
        nodes: [{ name: 'x', payload: { command: 'true' } }],
      },
    }),
    outcomes: 'r r r r r r',
  },
  'Mutation.appendWorkflowNodes': workflowChange('appendWorkflowNodes', {
    ...{ part: 1, nodes: [{ name: 'x', payload: { command: 'true' } }] },
  }),
  'Mutation.sealWorkflow': workflowChange('sealWorkflow'),
  'Mutation.pauseWorkflow': workflowChange('pauseWorkflow'),
  'Mutation.resumeWorkflow': workflowChange('resumeWorkflow'),
  'Mutation.cancelWorkflow': workflowChange('cancelWorkflow', { nodes: ['later'] }),
  'Mutation.retryWorkflow': workflowChange('retryWorkflow'),
  'Mutation.cloneWorkflow': workflowChange('cloneWorkflow', { idempotencyKey: 'clone' }),
  'Mutation.markWorkflowNodes': workflowChange('markWorkflowNodes', {
    ...{ nodes: ['later'], state: 'SKIPPED', reason: 'because' },
  }),
  'Mutation.createDataset': {
    text: `${input('createDataset')} { dataset { id } } }`,
    variables: () => ({ input: { experiment: 'alpha', name: 'ours' } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.appendDatasetFiles': datasetChange('appendDatasetFiles', {
    files: [{ name: 'ours', sizeBytes: 1 }],
  }),
  'Mutation.setDatasetReplicas': datasetChange('setDatasetReplicas', {
    replicas: [{ fileName: 'given', location: 'https://files.test/ours' }],
  }),
  'Mutation.closeDataset': datasetChange('closeDataset'),
  'Mutation.removeDataset': datasetChange('removeDataset'),
  'Mutation.setFilePolicy': {
    text: `${input('setFilePolicy')} { policy { id } } }`,
    variables: ({ datasetId }) => ({
      input: { experiment: 'alpha', name: 'given', rules: { datasetId, keepDays: 1 } },
    }),
    got: ({ setFilePolicy }: { setFilePolicy: { policy: unknown } }) => setFilePolicy.policy,
    outcomes: 'r r r e e r',
  },
  'Mutation.deleteDatasetFiles': datasetChange('deleteDatasetFiles', { isDryRun: true }),
  'Mutation.restoreDatasetFiles': datasetChange('restoreDatasetFiles'),
  'Mutation.createFleet': {
    text: `${input('createFleet')} { fleet { id } } }`,
    variables: ({ poolId }) => ({
      input: { poolId, name: 'mine', job: { name: 'x', payload: { command: 'true' } } },
    }),
    got: ({ createFleet }: { createFleet: { fleet: unknown } }) => createFleet.fleet,
    outcomes: 'r r r e e r',
  },
  'Mutation.updateFleet': fleetChange('updateFleet', { settings: { max: 5 } }),
  'Mutation.pauseFleet': fleetChange('pauseFleet'),
  'Mutation.resumeFleet': fleetChange('resumeFleet'),
  'Mutation.prewarmFleet': fleetChange('prewarmFleet', { jobs: 0, until: '2090-01-01T00:00:00.000Z' }),
  'Mutation.drainFleet': fleetChange('drainFleet'),
  'Mutation.createWorkPool': {
    text: `${input('createWorkPool')} { pool { id } } }`,
    variables: (_world, caller) => ({
      input: { experiment: 'alpha', name: caller.replaceAll(' ', '-') },
    }),
    outcomes: 'r r r r r r',
  },
  'Mutation.publishWorkUnits': poolChange('publishWorkUnits', { units: [{ key: 'mine', payload: 'x' }] }),
  'Mutation.closeWorkPool': poolChange('closeWorkPool'),
  'Mutation.resubmitWorkUnits': poolChange('resubmitWorkUnits'),
  'Mutation.addWorkflowNodes': {
    text: `${input('addWorkflowNodes')} { nodeCount } }`,
    variables: () => ({
      input: { idempotencyKey: 'x', nodes: [{ name: 'x', payload: { command: 'true' } }] },
    }),
    outcomes: 'r r r r r r',
  },
  'Mutation.leaseWorkUnits': {
    text: `${input('leaseWorkUnits')} { units { id } } }`,
    variables: ({ poolId }) => ({ input: { pool: poolId } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.completeWorkUnits': unitReport('completeWorkUnits'),
  'Mutation.failWorkUnits': unitReport('failWorkUnits'),
  'Mutation.extendWorkUnits': unitReport('extendWorkUnits'),
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
  'Mutation.addPolicyVersion': policyChange('addPolicyVersion', { rules: [neverRule] }),
  'Mutation.enablePolicy': policyChange('enablePolicy', { version: 1 }),
  'Mutation.disablePolicy': policyChange('disablePolicy'),
  'Mutation.changeTask': taskChange('changeTask', { changes: { memoryMiB: 99 }, isDryRun: true }),
  'Mutation.pauseTask': taskChange('pauseTask', { reason: 'because' }),
  'Mutation.resumeTask': taskChange('resumeTask'),
  'Mutation.finishTask': taskChange('finishTask'),
  'Mutation.abortTask': taskChange('abortTask'),
  'Mutation.endScouting': {
    ...taskChange('endScouting'),
    // The task has no scouts, which only those who may change it learn.
    got: ({ endScouting }: { endScouting: { userErrors: readonly { code: string }[] } }) =>
      endScouting.userErrors.find(({ code }) => code === 'TASK_STATE_CONFLICT'),
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
  'Mutation.reportCheckpoints': workerReport('reportCheckpoints', (world, caller) => ({
    workerId: world.workerId,
    jobs: [{ ...held(world, caller), checkpoints: [] }],
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
  'Mutation.requestPilots': {
    text: `${input('requestPilots')} { pilots { id } userErrors { code message } } }`,
    variables: () => ({
      input: {
        ...{ queue: 'north', executor: 'site', instance: 'site 1', experiment: 'alpha', shape: 'small' },
        ...{ classId: `class_${'0'.repeat(26)}`, jobsPerPilot: 1, count: 1, maxOpenPilots: 1 },
        idempotencyKey: 'pilots',
      },
    }),
    outcomes: 'r r r r r r',
  },
  'Mutation.reportPilots': {
    text: `${input('reportPilots')} { pilots { id } userErrors { code message } } }`,
    variables: () => ({ input: { queue: 'north', instance: 'site 1', pilots: [] } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.reportGateway': {
    text: `${input('reportGateway')} { reportedAt } }`,
    variables: () => ({ input: { isAcceptingPilots: false } }),
    outcomes: 'r r r r r r',
  },
  'Mutation.createUpload': {
    text: `${input('createUpload')} { upload { id } } }`,
    variables: () => ({
      input: {
        ...{ experiment: 'alpha', name: 'x', fileCount: 1, parts: [] },
        manifest: { sizeBytes: 1, sha256: 'ab'.repeat(32) },
      },
    }),
    outcomes: 'r r r r r r',
  },
  'Mutation.completeUpload': {
    text: `${input('completeUpload')} { upload { id } } }`,
    variables: () => ({ input: { id: 'upload_nowhere' } }),
    got: ({ completeUpload }: { completeUpload: { upload: object | null } }) => completeUpload.upload,
    outcomes: 'r r r e e r',
  },
  'Mutation.removeUpload': {
    text: `${input('removeUpload')} { upload { id } } }`,
    variables: () => ({ input: { id: 'upload_nowhere' } }),
    got: ({ removeUpload }: { removeUpload: { upload: object | null } }) => removeUpload.upload,
    outcomes: 'r r r e e r',
  },
  'Mutation.signJobFiles': workerReport('signJobFiles', (world, caller) => {
    const { id, fence } = held(world, caller);
    return { workerId: world.workerId, jobId: id, fence };
  }),
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
};
