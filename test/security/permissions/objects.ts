/** Objects that the rows of the table ask for. */
import { farDowntime, neverRule } from '../../e2e/system/idle-inputs.js';
import { experimentInputs, liveRunInputs } from '../experiment-inputs.js';
import { robotInput } from '../robot-inputs.js';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { mutate, type System } from '../../experiments/test-system.js';
import {
  type Caller,
  callers,
  experimentOf,
  kindOf,
  otherOwner,
  queues,
  subjectOf,
  type Target,
  targets,
  type World,
} from './world.js';
import { completeUnit } from './payloads.js';
import type { HeldJob, Worker } from './workers.js';

/** Names and ids for the variables of a row. */
export interface Objects {
  /** The experiment: `alpha` for own and others' objects, `beta` for those of the other experiment. */
  readonly experiment: string;
  readonly queue: string;
  /** A job that waits; for a pilot, one that the worker runs. */
  readonly jobId: string;
  readonly taskId: string;
  /** Access of somebody to a job that waits; for this caller and target alone. */
  readonly accessId: string;
  /** A workflow, whose node "later" waits for another. */
  readonly workflowId: string;
  /** A workflow that is not sealed. */
  readonly openWorkflowId: string;
  /** A dataset with the file "given". */
  readonly datasetId: string;
  readonly uploadId: string;
  readonly poolId: string;
  readonly fleetId: string;
  /** Two units that wait in the pool. */
  readonly unitId: string;
  readonly secondUnitId: string;
  /** A downtime of the queue, for this caller and target alone. */
  readonly downtimeId: string;
  readonly worker: Worker;
  /** A job that the worker runs. */
  readonly held: HeldJob;
  readonly operationId: string;
  /** Of the experiment. */
  readonly secretId: string;
  /** For this caller and target alone: a secret, an issuer, and two enrolments; the first one waits. */
  readonly ownSecretId: string;
  readonly issuer: string;
  readonly pendingId: string;
  readonly enrolmentId: string;
  /** A person with a membership in the experiment. */
  readonly principalId: string;
  /** Name of an issuer of the experiment. */
  readonly institute: string;
  /** A group of the experiment. */
  readonly groupId: string;
  /** An elevation of that person, which stays, and one for this caller and target alone. */
  readonly elevationId: string;
  readonly ownElevationId: string;
  /** A robot of the experiment, and one for this caller and target alone, with a key. */
  readonly robotId: string;
  readonly ownRobotId: string;
  readonly ownRobotKeyId: string;
  /** Enrolment that stays. */
  readonly lastingId: string;
  readonly auditEntryId: string;
  /** For this caller and target alone: a proposal to change the priority of the job. */
  readonly proposalId: string;
  /** For this caller and target alone: a limit and a stop of an agent that does not exist. */
  readonly budgetId: string;
  readonly stopId: string;
  readonly stoppedAgent: string;
  /** For this caller and target alone: a mandate that the ADMIN has granted. */
  readonly mandateId: string;
  /** Objects of the services of experiments, by the name of the experiment. */
  readonly ofServices: Readonly<Record<string, string | number>>;
  /** A job of each of them, as a gateway names it to the service. */
  readonly jobsOfServices: Readonly<Record<string, object>>;
  readonly queueId: string;
  /** Person that submissions are for; null for the caller. */
  readonly onBehalfOf: string | null;
}

/** Finds the objects of a call. */
export type ObjectsOf = (caller: Caller, target: Target) => Objects;

/** Makes all objects. */
export async function makeObjects({ system, workers }: World): Promise<ObjectsOf> {
  const shared = { alpha: await sharedOf(system, 'alpha'), beta: await sharedOf(system, 'beta') };
  await completeUnit(system, 'alpha', workers.own.kept);
  await completeUnit(system, 'beta', workers.foreign.kept);
  const each = new Map<string, Awaited<ReturnType<typeof objectsOfCall>> & { ownElevationId: string }>();
  for (const caller of callers)
    for (const target of targets) {
      const found = await objectsOfCall(system, caller, target);
      const ownElevationId = await elevationOf(system, experimentOf(target));
      each.set(`${caller} ${target}`, { ...found, ownElevationId });
    }
  const operations = await operationsOf(system);
  const services = await objectsOfServices(system);
  const entries = { alpha: await auditEntryOf(system, 'alpha'), beta: await auditEntryOf(system, 'beta') };
  return (caller, target) => {
    const experiment = experimentOf(target);
    const key = `${caller} ${target}`;
    const found = each.get(key);
    if (!found) throw new Error(key);
    const worker = workers[target];
    return {
      ...{ ...services, experiment, worker, queue: queues[experiment], held: worker.kept },
      ...{ ...shared[experiment], ...found, auditEntryId: entries[experiment] },
      ...(caller === 'PILOT' && { jobId: worker.kept.jobId }),
      operationId: operations.get(key) ?? '',
      onBehalfOf: target === 'other' ? otherOwner : null,
    };
  };
}

/** Objects for one caller and target alone: calls may end them. */
async function objectsOfCall(system: System, caller: Caller, target: Target) {
  const experiment = experimentOf(target);
  const name = `${caller}-${target}`.toLowerCase();
  const secret = { name: `of-${name}`, experiment, value: 'eight or more' };
  const { secret: created } = await mutate(system, 'createSecret', secret, 'secret { id }');
  const issuer = `of-${name}`;
  await mutate(system, 'setTokenIssuer', { ...issuerOf(issuer, experiment) });
  const enrolmentId = await pendingEnrolment(system, experiment, `approved ${name}`);
  await mutate(system, 'decideEnrolment', { id: enrolmentId, isApproved: true, experiments: [experiment] });
  const robot = await robotOf(system, experiment);
  const jobId = await jobOf(system, caller, target);
  const taskId = await taskOf(system, caller, target);
  const closed = { queue: queues[experiment], host: 'closed', reason: 'test' };
  await mutate(system, 'excludeHost', closed, 'host { id }');
  const granted = { experiment, jobs: { jobId }, grantee: { subject: 'friend@example' }, level: 'READ' };
  const { access } = await mutate(system, 'grantJobAccess', granted, 'access { id }');
  return {
    ...{ ownRobotId: robot.id, ownRobotKeyId: robot.keyId },
    ...{ issuer, enrolmentId, ownSecretId: String(created.id), accessId: String(access.id) },
    ...(await poolOf(system, caller, target)),
    datasetId: await datasetOf(system, caller, target),
    workflowId: await workflowOf(system, caller, target),
    openWorkflowId: await workflowOf(system, caller, target, { isSealed: false }),
    ...{ jobId, taskId },
    proposalId: await proposalOf(system, caller, target, jobId),
    ...(await agentLimitsOf(system, experiment, name)),
    mandateId: await mandateOf(system, experiment, name),
    uploadId: await uploadOf(system, caller, target),
    downtimeId: await downtimeOf(system, queues[experiment]),
    pendingId: await pendingEnrolment(system, experiment, `pending ${name}`),
  };
}

async function agentLimitsOf(
  system: System,
  experiment: string,
  name: string,
): Promise<Pick<Objects, 'budgetId' | 'stopId' | 'stoppedAgent'>> {
  const scope = { experiment, agent: `agent-${name}` };
  const limit = { ...scope, unit: 'CALLS', window: 'DAY', limit: 10 };
  const { budget } = await mutate(system, 'setAgentBudget', limit, 'budget { id }');
  const { stop } = await mutate(system, 'stopAgents', { ...scope, reason: 'test' }, 'stop { id }');
  return { budgetId: String(budget.id), stopId: String(stop.id), stoppedAgent: scope.agent };
}

/** A mandate for holds, with an agent of this name. */
export const mandateOn = (experiment: string, agent: string) => ({
  ...{ agent, experiment, mutation: 'holdJobs', free: ['selection', 'reason'], maxPerDay: 1 },
  ...{ expiresAt: new Date(Date.now() + 86_400_000).toISOString(), reason: 'test' },
});

async function mandateOf(system: System, experiment: string, name: string): Promise<string> {
  const input = mandateOn(experiment, `agent-${name}`);
  const { mandate } = await mutate(system, 'grantMandate', input, 'mandate { id }');
  return String(mandate.id);
}

async function downtimeOf(system: System, queue: string): Promise<string> {
  const input = { target: { queue }, ...farDowntime };
  const { downtime } = await mutate(system, 'declareDowntime', input, 'downtime { id }');
  return String(downtime.id);
}

async function robotOf(
  system: System,
  experiment: string,
): Promise<{ readonly id: string; readonly keyId: string }> {
  const input = robotInput(experiment);
  const { robot } = await mutate(system, 'registerRobot', input, 'robot { id keys { id } }');
  return { id: String(robot.id), keyId: String(robot.keys[0].id) };
}

/** The record of an issuer of an experiment. */
export const issuerOf = (name: string, experiment: string) => ({
  ...{ name, issuer: `https://${name}.test`, profile: 'OIDC', audiences: ['rhizome'] },
  ...{ experiments: [experiment], roles: ['READER'] },
});

/** A proposal of the caller, where that can make one; otherwise of somebody else. */
async function proposalOf(
  { tokens, ask }: System,
  caller: Caller,
  target: Target,
  jobId: string,
): Promise<string> {
  const grants = { [experimentOf(target)]: 'ADMIN' } as const;
  const isPerson = kindOf(caller) === 'HUMAN';
  const token =
    target === 'own' && caller === 'AGENT'
      ? await tokens.agent('admin@example', grants)
      : await tokens.human(target === 'own' && isPerson ? subjectOf(caller) : otherOwner, grants);
  const text =
    'mutation ($input: CreateProposalInput!) { createProposal(input: $input) { proposal { id } } }';
  const input = {
    operation: 'mutation ($i: SetJobPriorityInput!) { setJobPriority(input: $i) { userErrors { code } } }',
    ...{ variables: { i: { selection: { ids: [jobId] }, priority: 1 } }, reason: 'of the table' },
  };
  const { data } = await ask(text, { input }, token);
  return String(data.createProposal.proposal.id);
}

let addresses = 0;

async function pendingEnrolment(
  { identity }: System,
  experiment: 'alpha' | 'beta',
  key: string,
): Promise<string> {
  // One address may have few requests that wait.
  addresses += 1;
  const request = {
    ...{ queue: queues[experiment], host: 'h', address: `192.0.2.${addresses}` },
    key: { thumbprint: key.padEnd(43, '-'), use: () => Promise.resolve() },
  };
  const made = await identity?.enrolments.enrol({ ...request, code: null, subjectToken: null });
  return made?._id ?? '';
}

/** A job that waits, with the owner that the target names. */
async function jobOf(system: System, caller: Caller, target: Target): Promise<string> {
  const experiment = experimentOf(target);
  const job = {
    name: `${caller} ${target}`,
    payload: { command: 'true', environment: [{ name: 'TOKEN', value: 'hush' }] },
    requirements: { cores: 4096 },
  };
  const input = { experiment, idempotencyKey: job.name, jobs: [job] };
  const { jobs } = await mutate(system, 'submitJobs', input, 'jobs { id }');
  const jobId = String(jobs[0].id);
  const owner = target === 'own' ? subjectOf(caller) : otherOwner;
  await system.core.db.collection<{ _id: string }>('jobs').updateOne({ _id: jobId }, { $set: { owner } });
  return jobId;
}

/** A task whose jobs wait, with the owner that the target names. */
async function taskOf(system: System, caller: Caller, target: Target): Promise<string> {
  const experiment = experimentOf(target);
  const name = `${caller} ${target}`;
  const template = { name, payload: { command: 'true' }, requirements: { cores: 4096 } };
  const jobs = { jobs: { count: 2 }, scouts: { count: 1 } };
  const input = { experiment, idempotencyKey: `task of ${name}`, name, ...jobs, template };
  const { task } = await mutate(system, 'submitTask', input, 'task { id }');
  const taskId = String(task.id);
  const owner = target === 'own' ? subjectOf(caller) : otherOwner;
  await system.core.db.collection<{ _id: string }>('tasks').updateOne({ _id: taskId }, { $set: { owner } });
  return taskId;
}

/** A workflow whose jobs wait, with the owner that the target names. */
async function workflowOf(
  system: System,
  caller: Caller,
  target: Target,
  more: { readonly isSealed?: boolean } = {},
): Promise<string> {
  const name = `${caller} ${target}${more.isSealed === false ? ' open' : ''}`;
  const node = { payload: { command: 'true' }, requirements: { cores: 4096 } };
  const nodes = [
    { ...node, name: 'first' },
    { ...node, name: 'later', dependsOn: [{ node: 'first' }] },
  ];
  const input = {
    experiment: experimentOf(target),
    idempotencyKey: `workflow of ${name}`,
    name,
    nodes,
    ...more,
  };
  const { workflow } = await mutate(system, 'submitWorkflow', input, 'workflow { id }');
  const workflowId = String(workflow.id);
  const owner = target === 'own' ? subjectOf(caller) : otherOwner;
  const workflows = system.core.db.collection<{ _id: string }>('workflows');
  await workflows.updateOne({ _id: workflowId }, { $set: { owner } });
  return workflowId;
}

/** A pool with two units, with the owner that the target names. */
async function poolOf(
  system: System,
  caller: Caller,
  target: Target,
): Promise<Pick<Objects, 'poolId' | 'unitId' | 'secondUnitId' | 'fleetId'>> {
  const input = { experiment: experimentOf(target), name: `for-${caller}-${target}`.toLowerCase() };
  const { pool } = await mutate(system, 'createWorkPool', input, 'pool { id }');
  const poolId = String(pool.id);
  const units = ['one', 'two'].map((key) => ({ key, payload: 'x' }));
  const { unitIds } = await mutate(system, 'publishWorkUnits', { poolId, units }, 'unitIds');
  const job = { name: 'x', payload: { command: 'true' } };
  const settings = { targetLagSeconds: 86_400 };
  const { fleet } = await mutate(
    system,
    'createFleet',
    { poolId, name: input.name, settings, job },
    'fleet { id }',
  );
  const fleetId = String(fleet.id);
  const owner = target === 'own' ? subjectOf(caller) : otherOwner;
  const fleets = system.core.db.collection<{ _id: string }>('fleets');
  await fleets.updateOne({ _id: fleetId }, { $set: { owner } });
  const pools = system.core.db.collection<{ _id: string }>('workPools');
  await pools.updateOne({ _id: poolId }, { $set: { owner } });
  const [unitId, secondUnitId] = (unitIds as readonly unknown[]).map(String);
  return { poolId, fleetId, unitId: unitId ?? '', secondUnitId: secondUnitId ?? '' };
}

/** A dataset with one file, with the owner that the target names. */
async function datasetOf(system: System, caller: Caller, target: Target): Promise<string> {
  const input = { experiment: experimentOf(target), name: `for-${caller}-${target}`.toLowerCase() };
  const { dataset } = await mutate(system, 'createDataset', input, 'dataset { id }');
  const datasetId = String(dataset.id);
  const files = [{ name: 'given', sizeBytes: 1 }];
  await mutate(system, 'appendDatasetFiles', { datasetId, files }, 'addedCount');
  const rules = { datasetId, keepDays: 30 };
  await mutate(system, 'setFilePolicy', { ...input, rules }, 'policy { id }');
  const owner = target === 'own' ? subjectOf(caller) : otherOwner;
  const datasets = system.core.db.collection<{ _id: string }>('datasets');
  await datasets.updateOne({ _id: datasetId }, { $set: { owner } });
  return datasetId;
}

/** An upload that is complete. */
async function uploadOf(system: System, caller: Caller, target: Target): Promise<string> {
  const experiment = experimentOf(target);
  const _id = `upload_of-${caller}-${target}`.toLowerCase();
  const now = new Date();
  const upload = {
    ...{ _id, schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now, experiment },
    ...{ owner: target === 'own' ? subjectOf(caller) : otherOwner, name: 'x', state: 'READY' },
    ...{ storage: `of-${experiment}`, digest: _id, fileCount: 1, partCount: 1, sizeBytes: 1 },
    ...{ parts: [{ sizeBytes: 1, sha256: 'ab'.repeat(32) }], lastUsedAt: now },
    expiresAt: new Date(now.getTime() + 86_400_000),
  };
  await system.core.db.collection<typeof upload>('uploads').insertOne(upload);
  return _id;
}

async function sharedOf(system: System, experiment: 'alpha' | 'beta') {
  const secret = { name: 'x', experiment, value: 'eight or more' };
  const created = await mutate(system, 'createSecret', secret, 'secret { id }');
  await mutate(system, 'addPolicyVersion', { scope: { experiment }, rules: [neverRule] });
  await mutate(system, 'enablePolicy', { scope: { experiment }, version: 1 });
  const institute = `institute-${experiment}`;
  await mutate(system, 'setTokenIssuer', issuerOf(institute, experiment));
  const account = { issuer: 'https://nowhere.test', subject: `person of ${experiment}` };
  const person = await system.identity?.principals.logIn(account, 'HUMAN', null);
  const principalId = person?._id ?? '';
  const membership = { principalId, experiment, roles: ['USER'], elevatableRoles: ['OPERATOR'] };
  await mutate(system, 'setMembership', membership);
  const group = { experiment, name: 'crew', roles: ['READER'] };
  const { group: crew } = await mutate(system, 'setGroup', group, 'group { id }');
  const { data } = await system.ask('query ($n: String!) { queue(name: $n) { id } }', {
    n: queues[experiment],
  });
  return {
    queueId: String(data.queue.id),
    groupId: String(crew.id),
    elevationId: await elevationOf(system, experiment),
    robotId: (await robotOf(system, experiment)).id,
    ...{ institute, principalId, lastingId: await pendingEnrolment(system, experiment, 'lasting') },
    secretId: String(created.secret.id),
  };
}

let elevated = 0;

/** A person that has logged in, and has the role READER ready in an experiment. */
export async function personOf({ identity }: System, experiment: string): Promise<string> {
  if (!identity) return '';
  const { issuer } = issuerOf(`institute-${experiment}`, experiment);
  elevated += 1;
  const account = { issuer, subject: `elevated ${elevated}` };
  const person = await identity.principals.logIn(account, 'HUMAN', null);
  const { _id: principalId } = person;
  await identity.principals.recordLogin(person, { account: account.subject, issuer, grants: [] });
  const ready = { experiment, roles: [], elevatableRoles: ['READER'] } as const;
  const membership = { principalId, ...ready, expiresAt: null, reason: null };
  await identity.principals.setMembership(membership, testPrincipal());
  return principalId;
}

/** An elevation of a new person: nobody has more than five. */
async function elevationOf(system: System, experiment: string): Promise<string> {
  const subject = await personOf(system, experiment);
  const reason = 'the queue of the night is stuck';
  const request = { experiment, roles: ['READER'], reason, minutes: 60 } as const;
  const made = await system.identity?.elevations.start(request, testPrincipal({ subject, grants: {} }));
  return made?.elevation?._id ?? '';
}

/** A recorded operation for each caller and target. */
async function operationsOf(system: System): Promise<ReadonlyMap<string, string>> {
  const jobs = [
    { name: 'held by an operation', payload: { command: 'true' }, requirements: { cores: 4096 } },
  ];
  const submission = { experiment: 'alpha', idempotencyKey: 'operation', jobs };
  const { jobs: made } = await mutate(system, 'submitJobs', submission, 'jobs { id }');
  const selection = { ids: [made[0].id as string] };
  await mutate(system, 'holdJobs', { selection, reason: 'x', idempotencyKey: 'operation' });
  const operations = system.core.db.collection<{ _id: string; requester: object; key?: string }>(
    'bulkOperations',
  );
  const recorded = await operations.findOne({});
  if (!recorded) throw new Error('The operation is not recorded');
  const { key: _key, ...fields } = recorded;
  const found = new Map<string, string>();
  for (const caller of callers)
    for (const target of targets) {
      const _id = `${recorded._id.slice(0, -2)}${String(found.size).padStart(2, '0')}`;
      const isOwn = target === 'own';
      const kind = isOwn ? kindOf(caller) : 'HUMAN';
      const requester = { ...fields.requester, kind, subject: isOwn ? subjectOf(caller) : otherOwner };
      if (_id === recorded._id) await operations.updateOne({ _id }, { $set: { requester } });
      else await operations.insertOne({ ...fields, _id, requester });
      found.set(`${caller} ${target}`, _id);
    }
  return found;
}

const taskJobs = 'task { id jobs(first: 1) { nodes { id taskIndex } } }';
/** Selection of a job of a submission that is a workflow. */
const jobsOf: Readonly<Record<string, string>> = {
  rubin: 'workflow { nodes(first: 1) { nodes { job { id workflowId workflowIndex } } } }',
};

/** Part of an answer that has the jobs of a submission. */
interface Made {
  readonly task?: { readonly id: string; readonly jobs: { readonly nodes: readonly object[] } } | null;
  readonly workflow?: {
    readonly nodes: { readonly nodes: readonly { readonly job: object | null }[] };
  } | null;
}

/** A job of a submission, as the gateway passes it to the service: by its task, or by its workflow. */
function madeJob({ task, workflow }: Made): object | undefined {
  if (workflow) return workflow.nodes.nodes[0]?.job ?? undefined;
  const [job] = task?.jobs.nodes ?? [];
  return job && { ...job, task: { __typename: 'Task', id: task?.id } };
}

/** Mutation, payload and further identifier of the objects of each service. */
const made: Readonly<Record<string, readonly [mutation: string, field: string, number?: string]>> = {
  atlas: ['submitAtlasTask', 'task'],
  epic: ['submitEpicRun', 'run', 'runNumber'],
  larkspur: ['submitLarkspurObservation', 'observation'],
  rubin: ['submitRubinWorkflow', 'workflow'],
};

/** Number of the live run of which a caller owns the facets, or of one that belongs to somebody else. */
export const liveRunOf = (caller: Caller, target: Target): number =>
  target === 'own' ? 500 + callers.indexOf(caller) : 500 + callers.length;

/** A live run for each caller, and one of somebody else. @returns identifier of the last one */
async function liveRuns(system: System): Promise<string> {
  const announce = async (runNumber: number, subject: string): Promise<string> => {
    const owners = ['MACHINE', 'DAQ', 'OPERATOR'].map((facet) => ({ facet, subject }));
    const input = { ...liveRunInputs['announceEpicLiveRun']?.(), runNumber, owners };
    return String((await mutate(system, 'announceEpicLiveRun', input, 'run { id }')).run.id);
  };
  for (const caller of callers) await announce(liveRunOf(caller, 'own'), subjectOf(caller, 'epic'));
  await mutate(system, 'setEpicSiteFeed', liveRunInputs['setEpicSiteFeed']?.() ?? {});
  return announce(500 + callers.length, otherOwner);
}

/** One object of each service, and one of its jobs. */
async function objectsOfServices(system: System): Promise<Pick<Objects, 'ofServices' | 'jobsOfServices'>> {
  const ofServices: Record<string, string | number> = {};
  const jobsOfServices: Record<string, object> = {};
  ofServices['epicLiveRun'] = await liveRuns(system);
  for (const [name, [field, payload, number = '']] of Object.entries(made)) {
    const input = { ...experimentInputs[field]?.(), idempotencyKey: 'table' };
    const answer = await mutate(system, field, input, `${payload} { id ${number} }`);
    ofServices[name] = String(answer[payload].id);
    if (number !== '') ofServices[`${name}Number`] = Number(answer[payload][number]);
    const key = `${number === '' ? 'id' : number}: ${JSON.stringify(answer[payload][number || 'id'])}`;
    const jobs = `{ ${name} { ${payload}(${key}) { ${jobsOf[name] ?? taskJobs} } } }`;
    jobsOfServices[name] = await waitFor(
      `a job of ${name}`,
      async () => {
        const { data } = await system.ask(jobs);
        return madeJob(data[name][payload] as Made);
      },
      { deadlineMs: 60_000 },
    );
  }
  return { ofServices, jobsOfServices };
}

async function auditEntryOf(system: System, experiment: string): Promise<string> {
  const text = 'query ($e: String) { auditEntries(filter: { experiment: $e }, first: 1) { nodes { id } } }';
  const { data } = await system.ask(text, { e: experiment });
  return String(data.auditEntries.nodes[0].id);
}
