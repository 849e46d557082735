/** For tests of fleets of jobs: calls about a fleet, and a worker that runs its jobs. */
import { expect } from '@jest/globals';
import { createPrincipal } from '@rhizome/authz';
import { waitFor } from '@rhizome/testkit';
import { registration } from './access.fixture.js';
import type { Answer, TestCore } from './core.fixture.js';
import { attemptOf, minute, type RunningJob } from './units.fixture.js';

const workerId = 'worker_01AAAAAAAAAAAAAAAAAAAAAAAA';
/** The worker by its own credential: others get no jobs with a token. */
const holder = createPrincipal({
  ...{ kind: 'PILOT', subject: `worker:${workerId}`, tokenKind: 'WORKER', queue: 'north', worker: workerId },
  grants: [{ experiment: '*', roles: ['PILOT'] }],
  expiresAt: new Date('2099-01-01T00:00:00Z'),
  keyThumbprint: 'key',
});
const capacity = { cores: 500, memoryMiB: 1_000_000, diskMiB: 1_000_000 };

/** A decision as tests read it. */
export interface SeenDecision {
  readonly reason: string;
  readonly targetJobs: number;
  readonly previousTargetJobs: number;
  readonly startedJobs: number;
  readonly releasedJobs: number;
  readonly cancelledJobs: number;
  readonly waitingUnits: number | null;
  readonly lagSeconds: number | null;
}

/** A fleet as tests read it. */
export interface SeenFleet {
  readonly state: string;
  readonly targetJobs: number;
  readonly jobVersion: number;
  readonly jobCounts: {
    readonly waiting: number;
    readonly running: number;
    readonly released: number;
    readonly outdated: number;
  };
  readonly decisions: { readonly nodes: readonly SeenDecision[] };
}

const fleetText = `query ($id: ID!) { fleet(id: $id) {
  state targetJobs jobVersion jobCounts { waiting running released outdated }
  decisions(first: 100) { nodes { reason targetJobs previousTargetJobs startedJobs releasedJobs cancelledJobs waitingUnits lagSeconds } }
} }`;

/** Input of `createFleet` for a pool. */
export function fleetInput(poolId: string, name: string, settings: object): object {
  const requirements = { memoryMiB: 100, diskMiB: 1 };
  const job = { name, payload: { command: 'work' }, requirements, retry: { maxAttempts: 1 } };
  return { poolId, name, settings, job };
}

/** Calls about one fleet. */
export class TestFleet {
  readonly id: string;
  #core: TestCore;

  constructor(core: TestCore, id: string) {
    this.#core = core;
    this.id = id;
  }

  static async create(core: TestCore, poolId: string, name: string, settings: object): Promise<TestFleet> {
    const answer = await createFleet(core, fleetInput(poolId, name, settings));
    expect(answer['userErrors']).toEqual([]);
    return new TestFleet(core, String(answer['fleet']?.['id']));
  }

  /** Speaks with another process from now on. */
  moveTo(core: TestCore): void {
    this.#core = core;
  }

  async see(): Promise<SeenFleet> {
    return (await this.#core.ask(fleetText, { id: this.id }))['fleet'] as unknown as SeenFleet;
  }

  /** Waits until the fleet meets a condition. */
  async until(what: string, isMet: (fleet: SeenFleet) => boolean): Promise<SeenFleet> {
    let seen = await this.see();
    const isSeen = async (): Promise<boolean> => isMet((seen = await this.see()));
    await waitFor(`${what} of ${this.id}`, isSeen, minute);
    return seen;
  }

  /** Calls a mutation, such as `pause`. */
  async command(verb: string, input: object = {}): Promise<Answer> {
    const field = `${verb}Fleet`;
    const type = `${verb[0]?.toUpperCase()}${verb.slice(1)}FleetInput`;
    const text = `mutation ($input: ${type}!) { ${field}(input: $input) { fleet { state } userErrors { code path message } } }`;
    return (await this.#core.ask(text, { input: { fleetId: this.id, ...input } }))[field] as Answer;
  }
}

/** Creates a fleet. */
export async function createFleet({ ask }: TestCore, input: object): Promise<Answer> {
  const { createFleet: answer } = await ask(
    'mutation ($input: CreateFleetInput!) { createFleet(input: $input) { fleet { id } userErrors { code path message } } }',
    { input },
  );
  return answer as Answer;
}

/** A worker that starts the jobs that it gets, and ends them as the test says. */
export class FleetWorker {
  #core: TestCore;

  private constructor(core: TestCore) {
    this.#core = core;
  }

  static async join(core: TestCore, name: string): Promise<FleetWorker> {
    const hardware = { architecture: 'x86_64', isolation: ['NAMESPACES'], ...capacity };
    const { registerWorker } = await core.ask(
      'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { message } } }',
      { input: { ...registration('north', name), hardware } },
      holder,
    );
    expect(registerWorker).toEqual({ worker: { id: workerId }, userErrors: [] });
    return new FleetWorker(core);
  }

  /** Speaks with another process from now on. */
  moveTo(core: TestCore): void {
    this.#core = core;
  }

  /** Starts a number of jobs as soon as they are granted. */
  async start(count: number): Promise<readonly RunningJob[]> {
    const started: RunningJob[] = [];
    await waitFor(
      `${count} jobs to start`,
      async () => {
        started.push(...(await this.#acquire(count - started.length)));
        return started.length >= count;
      },
      minute,
    );
    return started;
  }

  async startOne(): Promise<RunningJob> {
    const [job] = await this.start(1);
    if (job) return job;
    throw new Error('no job was started');
  }

  async finish(jobs: readonly RunningJob[]): Promise<void> {
    await this.#call('finishJobs', { jobs: jobs.map(refOf) }, 'acceptedIds');
  }

  async fail(jobs: readonly RunningJob[]): Promise<void> {
    const error = { family: 'PAYLOAD', code: 'EXIT_CODE', message: 'exit code 1', isRetryable: false };
    await this.#call('failJobs', { jobs: jobs.map((job) => ({ ...refOf(job), error })) }, 'acceptedIds');
  }

  async #acquire(count: number): Promise<readonly RunningJob[]> {
    const input = { count, free: capacity, waitSeconds: 0 };
    const got = await this.#call('acquireJobs', input, 'assignments { fence job { id } }').catch(noLeader);
    const jobs = ((got?.['assignments'] ?? []) as unknown as readonly Answer[]).map(({ fence, job }) => ({
      id: String(job?.['id']),
      fence: Number(fence),
    }));
    if (jobs.length === 0) return [];
    await this.#call('startJobs', { jobs: jobs.map((job) => ({ ...job, phase: 'RUNNING' })) }, 'acceptedIds');
    return jobs.map((job) => ({
      ...job,
      workerId,
      payload: attemptOf(job.id, job.fence),
    }));
  }

  async #call(field: string, input: object, select: string): Promise<Answer> {
    const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
    const text = `mutation ($input: ${type}!) { ${field}(input: $input) { ${select} userErrors { code message } } }`;
    const variables = { input: { workerId, ...input } };
    const answer = (await this.#core.ask(text, variables, holder))[field] as Answer;
    expect(answer['userErrors']).toEqual([]);
    return answer;
  }
}

function refOf({ id, fence }: RunningJob): { readonly id: string; readonly fence: number } {
  return { id, fence };
}

/** No answer while no process leads. */
function noLeader(error: Error): undefined {
  if (!error.message.includes('LEADER_UNAVAILABLE')) throw error;
}
