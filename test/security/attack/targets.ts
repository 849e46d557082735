/** Objects at which attacks aim. */
import { randomUUID } from 'node:crypto';
import { type TestClient, waitFor } from '@rhizome/testkit';
import { type Api, apiOf } from '../../e2e/system/api.js';
import { farDowntime, neverRule } from '../../e2e/system/idle-inputs.js';
import { type Grant, speakAsWorker } from '../../e2e/system/pilots.js';
import type { ServiceSystem } from '../../e2e/system/service-system.js';
import type { Evidence } from './evidence.js';
import { experimentInputs, liveRunInputs } from '../experiment-inputs.js';

/** Objects of the experiment atlas, which no role of larkspur may reach, and one job of larkspur. */
export interface Targets {
  readonly job: string;
  readonly task: string;
  readonly queue: string;
  /** A downtime of the queue. */
  readonly downtime: string;
  /** An excluded host of the queue. */
  readonly host: string;
  readonly worker: string;
  /** A workflow whose node waits. */
  readonly workflow: string;
  /** A fleet without jobs, of the pool. */
  readonly fleet: string;
  /** A dataset with one file. */
  readonly dataset: string;
  /** A pool of work units, and a unit that waits in it. */
  readonly pool: string;
  readonly unit: string;
  /** A job of atlas that the worker runs. */
  readonly held: Grant;
  /** A secret of atlas. */
  readonly secret: string;
  /** Access of somebody to the job. */
  readonly access: string;
  /** A job of larkspur with a canary in its environment. */
  readonly larkspurJob: string;
  /** A bulk operation on a job of atlas. */
  readonly operation: string;
  /** An entry of the audit log about atlas. */
  readonly auditEntry: string;
  /** A proposal to cancel the job. */
  readonly proposal: string;
  /** A limit and a stop of agents of atlas. */
  readonly agentBudget: string;
  readonly agentStop: string;
  /** A mandate in atlas. */
  readonly mandate: string;
  readonly atlasTask: string;
  /** Number of a run of epic. */
  readonly epicRun: number;
  readonly rubinWorkflow: string;
  readonly larkspurObservation: string;
}

/** Makes the objects, with canaries in what only their owners may read. */
export async function prepareTargets(
  services: ServiceSystem,
  store: TestClient,
  evidence: Evidence,
): Promise<Targets> {
  const api = services.api();
  const limits = { heartbeatSeconds: 300, leaseSeconds: 3600 };
  await api.change('createQueue', { name: 'citadel', site: 'POLE', experiments: ['atlas'], limits });
  const queueToken = await services.identities.pilot('citadel');
  const worker = await speakAsWorker(services, { name: 'spoken', queue: 'citadel', queueToken });
  const held = await submitTo(services, evidence, 'atlas', { queue: 'citadel' });
  const [grant] = await worker.acquire(1, { waitSeconds: 60 });
  if (grant?.job.id !== held) throw new Error('the job was not granted');
  await worker.start(grant, 'RUNNING');
  const far = { cores: 4000 };
  const job = await submitTo(services, evidence, 'atlas', far);
  const larkspurJob = await submitTo(services, evidence, 'larkspur', far);
  const input = {
    ...{ experiment: 'atlas', idempotencyKey: randomUUID(), name: 'task', jobs: { count: 1 } },
    template: { name: 'x', payload: { command: 'true' }, requirements: far },
  };
  const { task } = await api.change<{ task: { id: string } }>('submitTask', input, 'task { id }');
  const granted = {
    ...{ experiment: 'atlas', jobs: { jobId: job }, level: 'MANAGE' },
    grantee: { subject: 'friend@elsewhere' },
  };
  const { access } = await api.change<{ access: { id: string } }>('grantJobAccess', granted, 'access { id }');
  const planned = { target: { queue: 'citadel' }, ...farDowntime };
  const { downtime } = await api.change<{ downtime: { id: string } }>(
    'declareDowntime',
    planned,
    'downtime { id }',
  );
  const out = { queue: 'citadel', host: 'keep-2', reason: 'for the attack' };
  const { host } = await api.change<{ host: { id: string } }>('excludeHost', out, 'host { id }');
  await api.change('addPolicyVersion', { scope: { experiment: 'atlas' }, rules: [neverRule] });
  const graph = {
    ...{ experiment: 'atlas', idempotencyKey: randomUUID(), name: 'guarded' },
    nodes: [{ name: 'guarded', payload: { command: 'true' }, requirements: far }],
  };
  const { workflow } = await api.change<{ workflow: { id: string } }>(
    'submitWorkflow',
    graph,
    'workflow { id }',
  );
  const { pool } = await api.change<{ pool: { id: string } }>(
    'createWorkPool',
    { experiment: 'atlas', name: 'guarded' },
    'pool { id }',
  );
  const units = [{ key: 'guarded', payload: 'guarded' }];
  const published = await api.change<{ unitIds: string[] }>(
    'publishWorkUnits',
    { poolId: pool.id, units },
    'unitIds',
  );
  // No job is started for the one unit that waits.
  const settings = { targetLagSeconds: 86_400 };
  const { fleet } = await api.change<{ fleet: { id: string } }>(
    'createFleet',
    { poolId: pool.id, name: 'guarded', settings, job: { name: 'guarded', payload: { command: 'true' } } },
    'fleet { id }',
  );
  const { dataset } = await api.change<{ dataset: { id: string } }>(
    'createDataset',
    { experiment: 'atlas', name: 'guarded' },
    'dataset { id }',
  );
  const files = [{ name: 'guarded', sizeBytes: 1 }];
  await api.change('appendDatasetFiles', { datasetId: dataset.id, files });
  const rules = { datasetId: dataset.id, keepDays: 30 };
  await api.change('setFilePolicy', { experiment: 'atlas', name: 'guarded', rules });
  const hold = { selection: { ids: [job] }, reason: 'guarded', idempotencyKey: randomUUID() };
  await api.change('holdJobs', hold);
  // A change that ends within its call returns no operation, although it is recorded.
  const operation = await store.db('core').collection<{ _id: string }>('bulkOperations').findOne({});
  return {
    ...{ job, larkspurJob, held: grant },
    task: task.id,
    access: access.id,
    operation: operation?._id ?? '',
    secret: await createSecret(api, evidence),
    queue: 'citadel',
    downtime: downtime.id,
    host: host.id,
    worker: worker.id,
    workflow: workflow.id,
    pool: pool.id,
    fleet: fleet.id,
    dataset: dataset.id,
    unit: published.unitIds[0] ?? '',
    ...(await objectsOfExperiments(api)),
    auditEntry: await auditEntryOf(api),
    proposal: await proposalOf(api, job),
    ...(await agentLimitsOf(api)),
    mandate: await mandateOf(api),
  };
}

/** An answer to a submission, with the task or workflow of core that follows. */
type Made = Record<string, string | number> & {
  readonly task?: { readonly id: string } | null;
  readonly workflow?: { readonly id: string } | null;
};

/** One object of each experiment. Resolves when all their jobs exist that can. */
async function objectsOfExperiments(
  api: Api,
): Promise<Pick<Targets, 'atlasTask' | 'epicRun' | 'rubinWorkflow' | 'larkspurObservation'>> {
  const submit = async (
    field: string,
    name: string,
    id: string,
    follows = 'task',
  ): Promise<string | number> => {
    const input = { ...experimentInputs[field]?.(), idempotencyKey: randomUUID() };
    const selection = `${name} { ${id} ${follows} { id } }`;
    const { [name]: object } = await api.change<Record<string, Made>>(field, input, selection);
    if (object?.task) await untilExpanded(api, object.task.id);
    else if (object?.workflow) await untilSubmitted(api, object.workflow.id);
    else throw new Error(`${field}: ${JSON.stringify(object)}`);
    return object[id] ?? '';
  };
  await endLiveRun(api);
  return {
    atlasTask: String(await submit('submitAtlasTask', 'task', 'id')),
    epicRun: Number(await submit('submitEpicRun', 'run', 'runNumber')),
    rubinWorkflow: String(await submit('submitRubinWorkflow', 'workflow', 'id', 'workflow')),
    larkspurObservation: String(await submit('submitLarkspurObservation', 'observation', 'id')),
  };
}

/** Waits for the job of the first node of a workflow. */
async function untilSubmitted(api: Api, id: string): Promise<void> {
  const query = 'query ($id: ID!) { workflow(id: $id) { counts { submitted } } }';
  const isSubmitted = async (): Promise<boolean> =>
    (await api.data<{ workflow: { counts: { submitted: number } } }>(query, { id })).workflow.counts
      .submitted > 0;
  await waitFor('the job of the first node', isSubmitted, { deadlineMs: 60_000 });
}

/** Announces a live run and ends it: one that is under way would change the store. */
async function endLiveRun(api: Api): Promise<void> {
  for (const field of ['announceEpicLiveRun', 'setEpicSiteFeed'])
    await api.change(field, liveRunInputs[field]?.() ?? {});
  const ended = { facet: 'OPERATOR', state: 'END', at: new Date().toISOString() };
  await api.change('announceEpicRunState', { ...liveRunInputs['announceEpicRunState']?.(), ...ended });
  const text = '{ epic { liveRun(runNumber: 7) { endedAt } } }';
  const hasEnded = async (): Promise<boolean> =>
    (await api.data<{ epic: { liveRun: { endedAt: string | null } } }>(text)).epic.liveRun.endedAt !== null;
  await waitFor('the end of the live run', hasEnded, { deadlineMs: 60_000 });
}

async function untilExpanded(api: Api, id: string): Promise<void> {
  const query = 'query ($id: ID!) { task(id: $id) { state } }';
  const isExpanded = async (): Promise<boolean> =>
    (await api.data<{ task: { state: string } }>(query, { id })).task.state === 'RUNNING';
  await waitFor('the jobs of the task', isExpanded, { deadlineMs: 60_000 });
}

/** The newest entry of the audit log about atlas. */
function auditEntryOf(api: Api): Promise<string> {
  const query = '{ auditEntries(filter: { experiment: "atlas" }, first: 1) { nodes { id } } }';
  const newest = async (): Promise<string | undefined> =>
    (await api.data<{ auditEntries: { nodes: { id: string }[] } }>(query)).auditEntries.nodes[0]?.id;
  return waitFor('an audit entry about atlas', newest, { deadlineMs: 60_000 });
}

/** Limits agents of atlas to more than the attackers use, and stops one that does not exist. */
async function agentLimitsOf(api: Api): Promise<Pick<Targets, 'agentBudget' | 'agentStop'>> {
  const limit = { experiment: 'atlas', unit: 'CALLS', window: 'MONTH', limit: 1_000_000_000 };
  const { budget } = await api.change<{ budget: { id: string } }>('setAgentBudget', limit, 'budget { id }');
  const nobody = { experiment: 'atlas', agent: 'agt_none', reason: 'guarded' };
  const { stop } = await api.change<{ stop: { id: string } }>('stopAgents', nobody, 'stop { id }');
  return { agentBudget: budget.id, agentStop: stop.id };
}

/** Grants a mandate to an agent that does not exist. */
async function mandateOf(api: Api): Promise<string> {
  const input = {
    ...{ agent: 'agt_none', experiment: 'atlas', mutation: 'holdJobs', free: ['selection', 'reason'] },
    ...{ maxPerDay: 1, expiresAt: new Date(Date.now() + 86_400_000).toISOString(), reason: 'guarded' },
  };
  const made = await api.change<{ mandate: { id: string } }>('grantMandate', input, 'mandate { id }');
  return made.mandate.id;
}

/** Proposes to cancel a job. */
async function proposalOf(api: Api, job: string): Promise<string> {
  const input = {
    operation: 'mutation ($i: CancelJobsInput!) { cancelJobs(input: $i) { userErrors { code } } }',
    ...{ variables: { i: { selection: { ids: [job] } } }, reason: 'guarded' },
  };
  const made = await api.change<{ proposal: { id: string } }>('createProposal', input, 'proposal { id }');
  return made.proposal.id;
}

/** Stores a secret of atlas. */
async function createSecret(api: Api, evidence: Evidence): Promise<string> {
  const value = `CANARY-${randomUUID()}`;
  evidence.plant('secret', [value]);
  const input = { name: 'PASSWORD', value, experiment: 'atlas' };
  return (await api.change<{ secret: { id: string } }>('createSecret', input, 'secret { id }')).secret.id;
}

/** Submits a job of somebody else, with a canary in its environment. */
async function submitTo(
  { url, identities }: ServiceSystem,
  evidence: Evidence,
  experiment: string,
  requirements: object,
): Promise<string> {
  const token = await identities.issuer.mint({
    ...{ subject: 'owner@elsewhere', kind: 'HUMAN', ttlSeconds: 7200 },
    grants: [{ experiment, roles: ['USER'] }],
  });
  const value = `CANARY-${randomUUID()}`;
  evidence.plant('environment', [value]);
  const payload = { command: 'true', environment: [{ name: 'PASSWORD', value }] };
  const jobs = [{ name: 'guarded', payload, requirements }];
  const { jobs: made } = await apiOf(url, token).change<{ jobs: readonly ({ id: string } | null)[] }>(
    'submitJobs',
    { experiment, idempotencyKey: randomUUID(), jobs },
    'jobs { id }',
  );
  const [job] = made;
  if (!job) throw new Error(JSON.stringify(made));
  return job.id;
}
