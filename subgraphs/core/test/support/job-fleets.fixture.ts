/** For tests of fleets of jobs: calls about a fleet, and a worker that runs its jobs. */
import { expect } from '@jest/globals';
import { createPrincipal } from '@rhizome/authz';
import { waitFor } from '@rhizome/testkit';
import type { Answer, TestCore } from './core.fixture.js';
import { attemptOf, minute, type RunningJob } from './units.fixture.js';
import { WorkerCalls } from './worker-calls.fixture.js';

const workerId = 'worker_01AAAAAAAAAAAAAAAAAAAAAAAA';
/** The worker by its own credential: others get no jobs with a token. */
export const holder = createPrincipal({
  ...{ kind: 'PILOT', subject: `worker:${workerId}`, tokenKind: 'WORKER', queue: 'north', worker: workerId },
  grants: [{ experiment: '*', roles: ['PILOT'] }],
  expiresAt: new Date('2099-01-01T00:00:00Z'),
  keyThumbprint: 'key',
});

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
  readonly #calls: WorkerCalls;

  private constructor(calls: WorkerCalls) {
    this.#calls = calls;
  }

  /** @param cores processes of core, of which any may lead */
  static async join(cores: readonly TestCore[], name: string): Promise<FleetWorker> {
    const calls = await WorkerCalls.register(cores, name, holder, { isolation: ['NAMESPACES'] });
    expect(calls.id).toBe(workerId);
    return new FleetWorker(calls);
  }

  /** Speaks with another process from now on. */
  moveTo(core: TestCore): void {
    this.#calls.moveTo(core);
  }

  /** Starts a number of jobs as soon as they are granted. */
  async start(count: number): Promise<readonly RunningJob[]> {
    const started: RunningJob[] = [];
    await waitFor(
      `${count} jobs to start`,
      async () => {
        const jobs = await this.#calls.start(count - started.length);
        started.push(
          ...jobs.map(({ id, fence }) => ({ id, fence, workerId, payload: attemptOf(id, fence) })),
        );
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

  finish(jobs: readonly RunningJob[]): Promise<void> {
    return this.#calls.finish(jobs);
  }

  fail(jobs: readonly RunningJob[]): Promise<void> {
    return this.#calls.fail(jobs);
  }
}
