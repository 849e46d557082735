/** For tests of work units: jobs that workers run, and calls of their payloads. */
import { expect } from '@jest/globals';
import { createPrincipal, type Principal } from '@rhizome/authz';
import type { TestDatabase } from '@rhizome/testkit';
import { acquireOne, register, startOne, submitOne } from './access.fixture.js';
import { admin, type Answer, pilotOf, startCore, type TestCore } from './core.fixture.js';

/** A leased unit. */
export interface Leased {
  readonly id: string;
  readonly fence: number;
  readonly attempt: number;
  readonly key: string;
  readonly payload: string | null;
}

/** Answer to a lease. */
export interface LeaseAnswer {
  readonly units: readonly Leased[];
  readonly isDrained: boolean;
  readonly userErrors: readonly { readonly code: string; readonly path: readonly string[] }[];
}

/** A job that a worker runs. */
export interface RunningJob {
  readonly id: string;
  readonly fence: number;
  readonly workerId: string;
  /** Caller with the token of its attempt. */
  readonly payload: Principal;
}

/** A process of core. */
export type UnitsCore = TestCore & { readonly db: TestDatabase };

/** Two processes of one system, and two jobs that work on units. */
export interface UnitsSystem {
  readonly core: UnitsCore;
  readonly second: UnitsCore;
  readonly ada: RunningJob;
  readonly bob: RunningJob;
}

/** Longest time that a test waits. */
export const minute = { deadlineMs: 60_000 };

/** Starts a system with the experiments alpha and beta, and the queue "north". */
export async function startUnits(): Promise<UnitsSystem> {
  const config = { units: { sweepMs: 50, graceMs: 0, settleMs: 50 } };
  const core = await startCore({ config });
  for (const name of ['alpha', 'beta'])
    await core.ask(
      'mutation ($n: String!) { registerExperiment(input: { name: $n, title: $n }) { userErrors { message } } }',
      { n: name },
    );
  await core.ask(
    'mutation { createQueue(input: { name: "north", site: "Pole", limits: { heartbeatSeconds: 300, leaseSeconds: 3600 } }) { userErrors { message } } }',
  );
  const second = await startCore({ db: core.db, config });
  return { core, second, ada: await runJob(core, 'ada'), bob: await runJob(core, 'bob') };
}

/** Runs a job of alpha on a worker of its own in queue "north". */
export async function runJob(core: TestCore, name: string): Promise<RunningJob> {
  const workerId = await register(core, 'north', name);
  const selector = `worker.name == "${name}"`;
  const jobId = await submitOne(core, { name, requirements: { selector } });
  const job = await acquireOne(core, 'north', workerId);
  expect(job.id).toBe(jobId);
  await startOne(core, 'north', workerId, job);
  return { ...job, workerId, payload: attemptOf(job.id, job.fence) };
}

/** Caller with the token of an attempt, as the gateway issues it. */
export function attemptOf(jobId: string, fence: number): Principal {
  return createPrincipal({
    kind: 'HUMAN',
    subject: admin.subject,
    grants: [{ experiment: 'alpha', roles: ['READER'] }],
    actions: ['job:read'],
    attempt: { jobId, attempt: 1, fence },
    expiresAt: new Date('2099-01-01T00:00:00Z'),
  });
}

/** Ends the job as its worker. */
export async function endJob({ ask }: TestCore, { id, fence, workerId }: RunningJob): Promise<void> {
  const { finishJobs } = await ask(
    'mutation ($input: FinishJobsInput!) { finishJobs(input: $input) { acceptedIds } }',
    { input: { workerId, jobs: [{ id, fence }] } },
    pilotOf('north'),
  );
  expect(finishJobs?.['acceptedIds']).toEqual([id]);
}

/** Calls about one pool. */
export class TestPool {
  readonly id: string;
  readonly #core: TestCore;

  constructor(core: TestCore, id: string) {
    this.#core = core;
    this.id = id;
  }

  static async create(core: TestCore, name: string, settings: object = {}, run?: string): Promise<TestPool> {
    const { createWorkPool } = await core.ask(
      'mutation ($input: CreateWorkPoolInput!) { createWorkPool(input: $input) { pool { id } userErrors { message } } }',
      { input: { experiment: 'alpha', name, settings, run } },
    );
    expect(createWorkPool?.['userErrors']).toEqual([]);
    return new TestPool(core, String(createWorkPool?.['pool']?.['id']));
  }

  /** The same pool, through another process. */
  through(core: TestCore): TestPool {
    return new TestPool(core, this.id);
  }

  publish(units: readonly object[]): Promise<Answer> {
    return this.#call(
      'publishWorkUnits',
      { poolId: this.id, units },
      'unitIds repeatedCount retryAfterSeconds',
    );
  }

  close(): Promise<Answer> {
    return this.#call('closeWorkPool', { poolId: this.id }, 'pool { state }');
  }

  resubmit(unitIds?: readonly string[]): Promise<Answer> {
    return this.#call('resubmitWorkUnits', { poolId: this.id, unitIds }, 'unitIds hasMore');
  }

  async lease({ payload }: RunningJob, max = 10, waitSeconds = 0): Promise<LeaseAnswer> {
    const select = 'units { id fence attempt key payload } isDrained';
    const input = { pool: this.id, max, waitSeconds };
    return (await this.#call('leaseWorkUnits', input, select, payload)) as unknown as LeaseAnswer;
  }

  /** Reports units; `complete`, `fail` or `extend`. */
  report(
    verb: 'complete' | 'fail' | 'extend',
    { payload }: RunningJob,
    units: readonly (Pick<Leased, 'id' | 'fence'> & object)[],
  ): Promise<Answer> {
    return this.#call(`${verb}WorkUnits`, { units }, 'acceptedIds', payload);
  }

  async counts(): Promise<object> {
    const { workPool } = await this.#core.ask(
      'query ($id: ID!) { workPool(id: $id) { counts { waiting leased completed dead failedAttempts } } }',
      { id: this.id },
    );
    return workPool?.['counts'] as object;
  }

  async #call(field: string, input: object, select: string, principal?: Principal): Promise<Answer> {
    const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
    const text = `mutation ($input: ${type}!) { ${field}(input: $input) { ${select} userErrors { code path } } }`;
    return (await this.#core.ask(text, { input }, principal))[field] as Answer;
  }
}

/** The part of a leased unit that reports repeat. */
export const refOf = ({ id, fence }: Leased): Pick<Leased, 'id' | 'fence'> => ({ id, fence });

/** Units to publish. */
export const units = (
  ...keys: readonly string[]
): readonly { readonly key: string; readonly payload: string }[] =>
  keys.map((key) => ({ key, payload: `payload of ${key}` }));

/** Keys of leased units, in order. */
export const keysOf = ({ units: leased }: Pick<LeaseAnswer, 'units'>): readonly string[] =>
  leased.map(({ key }) => key);
