/** For tests: calls of a worker in the queue "north", through any process of core. */
import { expect } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { registration } from './access.fixture.js';
import type { Answer, TestCore } from './core.fixture.js';

const capacity = { cores: 500, memoryMiB: 1_000_000, diskMiB: 1_000_000 };

/** Reference to a granted job in reports. */
interface JobRef {
  readonly id: string;
  readonly fence: number;
}

/** A job that the worker has started. */
export interface StartedJob extends JobRef {
  readonly name: string;
}

/**
 * A worker that starts the jobs that it gets, and reports their ends. On a busy machine another process may
 * begin to lead at any time: the worker then asks that one, and sends heartbeats, by which core finds grants
 * that were written and not answered.
 */
export class WorkerCalls {
  readonly id: string;
  readonly #caller: Principal;
  /** Processes of core; the first is called. */
  #cores: readonly TestCore[];
  /** Jobs that were started and have not ended. */
  readonly #held = new Map<string, JobRef>();
  /** True if a grant may have been written whose call got no answer. */
  #mayLackGrants = false;

  private constructor(cores: readonly TestCore[], caller: Principal, id: string) {
    this.#cores = cores;
    this.#caller = caller;
    this.id = id;
  }

  /** @param cores processes of core, of which any may lead */
  static async register(
    cores: readonly TestCore[],
    name: string,
    caller: Principal,
    hardware: object = {},
  ): Promise<WorkerCalls> {
    const [core] = cores;
    if (!core) throw new RangeError('cores: 0 processes; must be at least 1');
    const { registerWorker } = await core.ask(
      'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { message } } }',
      {
        input: {
          ...registration('north', name),
          hardware: { architecture: 'x86_64', ...hardware, ...capacity },
        },
      },
      caller,
    );
    expect(registerWorker?.['userErrors']).toEqual([]);
    return new WorkerCalls(cores, caller, String(registerWorker?.['worker']?.['id']));
  }

  /** Speaks with another process from now on. */
  moveTo(core: TestCore): void {
    this.#cores = [core];
  }

  /** Starts the jobs that it gets at once, at most `count`; none if the called process does not lead. */
  async start(count: number): Promise<readonly StartedJob[]> {
    if (this.#mayLackGrants)
      await this.#call('heartbeat', { jobs: [...this.#held.values()] }, 'leaseExpiresAt');
    const input = { count, free: capacity, waitSeconds: 0 };
    const select = 'assignments { fence job { id name } }';
    const got = await this.#call('acquireJobs', input, select).catch((error: Error) => this.#noLeader(error));
    const jobs = ((got?.['assignments'] ?? []) as unknown as readonly Answer[]).map(({ fence, job }) => ({
      ...{ id: String(job?.['id']), fence: Number(fence), name: String(job?.['name']) },
    }));
    if (jobs.length === 0) return [];
    const started = jobs.map((job) => ({ ...refOf(job), phase: 'RUNNING' }));
    await this.#call('startJobs', { jobs: started }, 'acceptedIds');
    for (const job of jobs) this.#held.set(job.id, refOf(job));
    return jobs;
  }

  async finish(jobs: readonly JobRef[], outputs: readonly object[] = []): Promise<void> {
    const finished = jobs.map((job) => ({ ...refOf(job), ...(outputs.length > 0 ? { outputs } : {}) }));
    if (jobs.length > 0) await this.#call('finishJobs', { jobs: finished }, 'acceptedIds');
    for (const { id } of jobs) this.#held.delete(id);
  }

  async fail(jobs: readonly JobRef[], isRetryable = false): Promise<void> {
    const error = { family: 'PAYLOAD', code: 'EXIT_CODE', message: 'exit code 1', isRetryable };
    const failed = jobs.map((job) => ({ ...refOf(job), error }));
    if (jobs.length > 0) await this.#call('failJobs', { jobs: failed }, 'acceptedIds');
    for (const { id } of jobs) this.#held.delete(id);
  }

  /** No answer: another process leads, or none. */
  #noLeader(error: Error): undefined {
    if (!/LEADER_UNAVAILABLE|EPOCH_STALE/.test(error.message)) throw error;
    this.#cores = [...this.#cores.slice(1), ...this.#cores.slice(0, 1)];
    this.#mayLackGrants = true;
  }

  async #call(field: string, input: object, select: string): Promise<Answer> {
    const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
    const text = `mutation ($input: ${type}!) { ${field}(input: $input) { ${select} userErrors { code message } } }`;
    const variables = { input: { workerId: this.id, ...input } };
    const answer = (await this.#cores[0]?.ask(text, variables, this.#caller))?.[field] as Answer;
    expect(answer['userErrors']).toEqual([]);
    return answer;
  }
}

function refOf({ id, fence }: JobRef): JobRef {
  return { id, fence };
}
