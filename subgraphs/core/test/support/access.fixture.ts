/** For access tests: a core with two experiments, and a job of one of them that a worker holds. */
import type { Principal } from '@rhizome/authz';
import { type TestDatabase, type TestGrants, testPrincipal, waitFor } from '@rhizome/testkit';
import { type Answer, pilotOf, startCore, type TestCore } from './core.fixture.js';

/** Objects that the tests query: all belong to alpha and to queue "north", which admits every experiment. */
export interface World extends TestCore {
  readonly db: TestDatabase;
  /**
   * A job that a worker of "north" runs; its environment holds a secret, and it waited for {@link parentId}.
   */
  readonly jobId: string;
  readonly fence: number;
  readonly workerId: string;
  /** A worker of "north" without jobs. */
  readonly spareId: string;
  /** FINISHED on a worker of "south", with an output; it waited for {@link grandparentId}. */
  readonly parentId: string;
  readonly grandparentId: string;
  /** A job that no worker takes. */
  readonly waitingId: string;
  readonly taskId: string;
  /** A downtime of "north". */
  readonly downtimeId: string;
  /** A bulk operation started by `admin`. */
  readonly operationId: string;
  /** An access of {@link friend} to all jobs of a share. */
  readonly accessId: string;
  /** A workflow, whose node "later" waits for another. */
  readonly workflowId: string;
  /** A dataset with the file "given". */
  readonly datasetId: string;
  /** A fleet without jobs. */
  readonly fleetId: string;
  /** A pool of work units, and a unit that waits in it. */
  readonly poolId: string;
  readonly unitId: string;
}

/** Subject of a person who has access to the jobs of alpha. */
export const friend = 'friend@example';

/** The value of the environment variable TOKEN. */
export const secret = 'hush';

/** A human with grants. */
export function human(subject: string, grants: TestGrants): Principal {
  return testPrincipal({ subject: `${subject}@example`, grants });
}

const submitText = `mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }`;
const registerText = `mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { message } } }`;
const acquireText = `mutation ($input: AcquireJobsInput!) {
  acquireJobs(input: $input) { assignments { fence job { id } } userErrors { message } }
}`;

/** Registration of a worker. */
export function registration(queue: string, name: string): object {
  const hardware = { architecture: 'x86_64', cores: 4, memoryMiB: 8000, diskMiB: 8000 };
  return { queue, host: 'host-1', name, hardware, version: '1', idempotencyKey: name };
}

/** A downtime that keeps no job from a worker. */
export const farDowntime = {
  startsAt: '2090-01-01T00:00:00.000Z',
  endsAt: '2090-01-02T00:00:00.000Z',
  reason: 'test',
};

/** A host without workers. */
export const otherHost = { queue: 'north', host: 'elsewhere', reason: 'test' };

/** A rule about an error that no job has. */
export const neverRule = {
  name: 'never',
  match: { codes: ['NEVER'] },
  action: { fail: { reason: 'It never happens' } },
};

/** Free capacity of a worker. */
export const free = { cores: 4, memoryMiB: 8000, diskMiB: 8000 };

/** Registers a worker, as its pilot. */
export async function register({ ask }: TestCore, queue: string, name: string): Promise<string> {
  const { registerWorker } = await ask(registerText, { input: registration(queue, name) }, pilotOf(queue));
  return registerWorker?.['worker']?.['id'] ?? '';
}

/** Submits one job of alpha. */
export async function submitOne(
  { ask }: TestCore,
  job: { readonly name: string; readonly [field: string]: unknown },
): Promise<string> {
  const input = {
    experiment: 'alpha',
    idempotencyKey: job.name,
    jobs: [{ payload: { command: 'true' }, ...job }],
  };
  const { submitJobs } = await ask(submitText, { input });
  return submitJobs?.['jobs']?.[0]?.['id'] ?? '';
}

/** Acquires one job for a worker. @returns its fence */
export async function acquireOne(
  { ask }: TestCore,
  queue: string,
  workerId: string,
): Promise<{ readonly id: string; readonly fence: number }> {
  const answer = await ask(
    acquireText,
    { input: { workerId, count: 1, free, waitSeconds: 60 } },
    pilotOf(queue),
  );
  const [assignment] = answer['acquireJobs']?.['assignments'] as unknown as readonly Answer[];
  if (!assignment) throw new Error(JSON.stringify(answer));
  return { id: String(assignment['job']?.['id']), fence: Number(assignment['fence']) };
}

/** Grants access to jobs in the share "alpha/default", of all owners by default. @returns its id */
export async function grantOne(
  { ask }: TestCore,
  { subject, owner }: { readonly subject: string; readonly owner?: string },
): Promise<string> {
  const jobs = { share: 'alpha/default' };
  const { grantJobAccess } = await ask(
    'mutation ($input: GrantJobAccessInput!) { grantJobAccess(input: $input) { access { id } userErrors { message } } }',
    { input: { experiment: 'alpha', jobs, owner, grantee: { subject }, level: 'MANAGE' } },
  );
  const id = grantJobAccess?.['access']?.['id'];
  if (id === undefined) throw new Error(JSON.stringify(grantJobAccess));
  return id;
}

/** Reports a job running. */
export async function startOne(
  { ask }: TestCore,
  queue: string,
  workerId: string,
  job: { readonly id: string; readonly fence: number },
): Promise<void> {
  const { startJobs } = await ask(
    'mutation ($input: StartJobsInput!) { startJobs(input: $input) { acceptedIds userErrors { message } } }',
    { input: { workerId, jobs: [{ ...job, phase: 'RUNNING' }] } },
    pilotOf(queue),
  );
  if (startJobs?.['acceptedIds']?.[0] !== job.id) throw new Error(JSON.stringify(startJobs));
}

/** Starts everything; stopped at the end of the file. */
export async function startWorld(): Promise<World> {
  const core = await startCore();
  const { ask } = core;
  for (const name of ['alpha', 'beta'])
    await ask(
      'mutation ($name: String!) { registerExperiment(input: { name: $name, title: $name }) { userErrors { message } } }',
      { name },
    );
  // No worker of these tests reports: on a slow machine, shorter leases would end meanwhile.
  for (const name of ['north', 'south'])
    await ask(
      'mutation ($name: String!) { createQueue(input: { name: $name, site: "Pole", limits: { heartbeatSeconds: 300, leaseSeconds: 3600 } }) { userErrors { message } } }',
      { name },
    );
  await ask(
    'mutation { createStorage(input: { name: "vault", provider: FOLDER, address: "https://files.test", experiments: ["alpha"] }) { userErrors { message } } }',
  );
  const southId = await register(core, 'south', 'southern');
  const grandparentId = await submitOne(core, { name: 'grandparent', requirements: { queue: 'south' } });
  await runToEnd(core, southId, []);
  const parentId = await submitOne(core, {
    name: 'parent',
    dependsOn: [grandparentId],
    requirements: { queue: 'south' },
    payload: { command: 'true', outputs: ['out'], environment: [{ name: 'TOKEN', value: secret }] },
  });
  await runToEnd(core, southId, [
    { name: 'out', location: '/store/out', sizeBytes: 1, sha256: 'a'.repeat(64) },
  ]);
  const workerId = await register(core, 'north', 'northern');
  const jobId = await submitOne(core, {
    name: 'child',
    dependsOn: [parentId],
    requirements: { queue: 'north' },
    payload: { command: 'true', environment: [{ name: 'TOKEN', value: secret }] },
  });
  const { fence } = await acquireOne(core, 'north', workerId);
  await startOne(core, 'north', workerId, { id: jobId, fence });
  const spareId = await register(core, 'north', 'spare');
  const waitingId = await submitOne(core, { name: 'waiting', requirements: { cores: 4096 } });
  return {
    ...core,
    jobId,
    fence,
    workerId,
    spareId,
    parentId,
    grandparentId,
    waitingId,
    accessId: await grantOne(core, { subject: friend }),
    ...(await records(core)),
  };
}

async function runToEnd(core: TestCore, workerId: string, outputs: readonly object[]): Promise<void> {
  const { id, fence } = await acquireOne(core, 'south', workerId);
  await startOne(core, 'south', workerId, { id, fence });
  const { finishJobs } = await core.ask(
    'mutation ($input: FinishJobsInput!) { finishJobs(input: $input) { acceptedIds userErrors { message } } }',
    { input: { workerId, jobs: [{ id, fence, outputs }] } },
    pilotOf('south'),
  );
  if (finishJobs?.['acceptedIds']?.[0] === undefined) throw new Error(JSON.stringify(finishJobs));
}

async function records({
  ask,
  db,
}: TestCore & { readonly db: TestDatabase }): Promise<
  Pick<
    World,
    'taskId' | 'operationId' | 'downtimeId' | 'poolId' | 'unitId' | 'workflowId' | 'fleetId' | 'datasetId'
  >
> {
  const template = { name: 'part', payload: { command: 'true' }, requirements: { cores: 4096 } };
  const { submitTask } = await ask(
    'mutation ($input: SubmitTaskInput!) { submitTask(input: $input) { task { id } userErrors { message } } }',
    { input: { experiment: 'alpha', idempotencyKey: 'task', name: 'task', template, jobs: { count: 1 } } },
  );
  const taskId = String(submitTask?.['task']?.['id']);
  const jobId = await waitFor(
    'the job of the task',
    async () => {
      const { jobs } = await ask(
        'query ($taskId: ID!) { jobs(filter: { taskIds: [$taskId] }) { nodes { id } } }',
        { taskId },
      );
      const nodes = jobs?.['nodes'] as unknown as readonly { readonly id: string }[] | undefined;
      return nodes?.[0]?.id;
    },
    { deadlineMs: 60_000 },
  );
  await ask(
    `mutation ($ids: [ID!]) {
      setJobPriority(input: { selection: { ids: $ids }, priority: 0, idempotencyKey: "same" }) { userErrors { message } }
    }`,
    { ids: [jobId] },
  );
  const operation = await db.collection('bulkOperations').findOne({});
  const { declareDowntime } = await ask(
    'mutation ($input: DeclareDowntimeInput!) { declareDowntime(input: $input) { downtime { id } userErrors { message } } }',
    { input: { target: { queue: 'north' }, ...farDowntime } },
  );
  await ask(
    'mutation ($input: ExcludeHostInput!) { excludeHost(input: $input) { userErrors { message } } }',
    { input: otherHost },
  );
  await ask(
    'mutation ($input: AddPolicyVersionInput!) { addPolicyVersion(input: $input) { userErrors { message } } }',
    { input: { scope: { experiment: 'alpha' }, rules: [neverRule] } },
  );
  const downtimeId = String(declareDowntime?.['downtime']?.['id']);
  const { createWorkPool } = await ask(
    'mutation { createWorkPool(input: { experiment: "alpha", name: "pool" }) { pool { id } } }',
  );
  const poolId = String(createWorkPool?.['pool']?.['id']);
  const { publishWorkUnits } = await ask(
    'mutation ($id: ID!) { publishWorkUnits(input: { poolId: $id, units: [{ key: "one", payload: "x" }] }) { unitIds } }',
    { id: poolId },
  );
  const unitId = String(publishWorkUnits?.['unitIds']?.[0]);
  const node = { payload: { command: 'true' }, requirements: { cores: 4096 } };
  const nodes = [
    { ...node, name: 'first' },
    { ...node, name: 'later', dependsOn: [{ node: 'first' }] },
  ];
  const { submitWorkflow } = await ask(
    'mutation ($input: SubmitWorkflowInput!) { submitWorkflow(input: $input) { workflow { id } userErrors { message } } }',
    { input: { experiment: 'alpha', idempotencyKey: 'workflow', name: 'workflow', nodes } },
  );
  const workflowId = String(submitWorkflow?.['workflow']?.['id']);
  const { createFleet } = await ask(
    'mutation ($input: CreateFleetInput!) { createFleet(input: $input) { fleet { id } userErrors { message } } }',
    // No job is started for the one unit that waits.
    { input: { poolId, name: 'fleet', settings: { targetLagSeconds: 86_400 }, job: { name: 'x', ...node } } },
  );
  const fleetId = String(createFleet?.['fleet']?.['id']);
  const datasetId = await datasetOf({ ask });
  const operationId = String(operation?._id);
  return { taskId, operationId, downtimeId, poolId, unitId, workflowId, fleetId, datasetId };
}

async function datasetOf({ ask }: Pick<TestCore, 'ask'>): Promise<string> {
  const { createDataset } = await ask(
    'mutation { createDataset(input: { experiment: "alpha", name: "given" }) { dataset { id } } }',
  );
  const id = String(createDataset?.['dataset']?.['id']);
  await ask(
    'mutation ($id: ID!) { appendDatasetFiles(input: { datasetId: $id, files: [{ name: "given", sizeBytes: 1 }] }) { userErrors { message } } }',
    { id },
  );
  await ask(
    'mutation ($id: ID!) { setFilePolicy(input: { experiment: "alpha", name: "given", rules: { datasetId: $id, keepDays: 1 } }) { userErrors { message } } }',
    { id },
  );
  return id;
}
