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

/** A worker that starts the jobs that it gets, and reports their ends. */
export class WorkerCalls {
  readonly id: string;
  readonly #caller: Principal;
  #core: TestCore;

  private constructor(core: TestCore, caller: Principal, id: string) {
    this.#core = core;
    this.#caller = caller;
    this.id = id;
  }

  static async register(
    core: TestCore,
    name: string,
    caller: Principal,
    hardware: object = {},
  ): Promise<WorkerCalls> {
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
    return new WorkerCalls(core, caller, String(registerWorker?.['worker']?.['id']));
  }

  /** Speaks with another process from now on. */
  moveTo(core: TestCore): void {
    this.#core = core;
  }

  /** Starts the jobs that it gets at once, at most `count`; none while no process leads. */
  async start(count: number): Promise<readonly StartedJob[]> {
    const input = { count, free: capacity, waitSeconds: 0 };
    const select = 'assignments { fence job { id name } }';
    const got = await this.#call('acquireJobs', input, select).catch(noLeader);
    const jobs = ((got?.['assignments'] ?? []) as unknown as readonly Answer[]).map(({ fence, job }) => ({
      ...{ id: String(job?.['id']), fence: Number(fence), name: String(job?.['name']) },
    }));
    if (jobs.length === 0) return [];
    const started = jobs.map((job) => ({ ...refOf(job), phase: 'RUNNING' }));
    await this.#call('startJobs', { jobs: started }, 'acceptedIds');
    return jobs;
  }

  async finish(jobs: readonly JobRef[]): Promise<void> {
    if (jobs.length > 0) await this.#call('finishJobs', { jobs: jobs.map(refOf) }, 'acceptedIds');
  }

  async fail(jobs: readonly JobRef[]): Promise<void> {
    const error = { family: 'PAYLOAD', code: 'EXIT_CODE', message: 'exit code 1', isRetryable: false };
    const failed = jobs.map((job) => ({ ...refOf(job), error }));
    if (jobs.length > 0) await this.#call('failJobs', { jobs: failed }, 'acceptedIds');
  }

  async #call(field: string, input: object, select: string): Promise<Answer> {
    const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
    const text = `mutation ($input: ${type}!) { ${field}(input: $input) { ${select} userErrors { code message } } }`;
    const variables = { input: { workerId: this.id, ...input } };
    const answer = (await this.#core.ask(text, variables, this.#caller))[field] as Answer;
    expect(answer['userErrors']).toEqual([]);
    return answer;
  }
}

function refOf({ id, fence }: JobRef): JobRef {
  return { id, fence };
}

/** No answer while no process leads. */
function noLeader(error: Error): undefined {
  if (!error.message.includes('LEADER_UNAVAILABLE')) throw error;
}
