/** For tests of hosts: workers of several hosts in one queue, whose jobs last or fail fast. */
import { randomUUID } from 'node:crypto';
import { expect } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { waitFor } from '@rhizome/testkit';
import { type Answer, pilotOf, type TestCore } from './core.fixture.js';

/** A granted job. */
export interface HeldJob {
  readonly id: string;
  readonly fence: number;
}

/** Number of cores of each host. */
export const coresOfHost = 8;
const fields =
  'name state until reason exclusionCount pin { to reason } evidence { failureCount jobIds codes { code count } lastedElsewhere }';
const hostTexts = {
  excludeHost: `mutation ($input: ExcludeHostInput!) {
    excludeHost(input: $input) { host { ${fields} } workerCount runningJobCount userErrors { code path message } }
  }`,
  pinHost: `mutation ($input: PinHostInput!) {
    pinHost(input: $input) { host { ${fields} } workerCount runningJobCount userErrors { code path message } }
  }`,
  clearHost: `mutation ($input: ClearHostInput!) {
    clearHost(input: $input) { host { ${fields} } workerCount runningJobCount userErrors { code path message } }
  }`,
};

/** A queue with workers of several hosts. */
export class HostFleet {
  readonly queue: string;
  #core: TestCore;
  readonly #workers = new Map<string, string>();

  constructor(core: TestCore, queue: string) {
    this.#core = core;
    this.queue = queue;
  }

  /** Calls another process from now on. */
  callNow(core: TestCore): void {
    this.#core = core;
  }

  /** Creates the queue, and registers a worker of each host. Their leases outlast the test. */
  async create(hosts: readonly string[], experiments: readonly string[] = []): Promise<void> {
    const limits = { heartbeatSeconds: 300, leaseSeconds: 3600 };
    const { createQueue } = await this.#core.ask(
      'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
      { input: { name: this.queue, site: `site of ${this.queue}`, experiments, limits } },
    );
    expect(createQueue?.['userErrors']).toEqual([]);
    for (const host of hosts) this.#workers.set(host, await this.#register(host));
  }

  async #register(host: string): Promise<string> {
    const hardware = { architecture: 'x86_64', cores: coresOfHost, memoryMiB: 64_000, diskMiB: 100_000 };
    const input = { queue: this.queue, host, name: host, hardware, version: '1', idempotencyKey: host };
    const { registerWorker } = await this.#core.ask(
      'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { message } } }',
      { input },
      pilotOf(this.queue),
    );
    return String(registerWorker?.['worker']?.['id']);
  }

  workerOf(host: string): string {
    return this.#workers.get(host) ?? '';
  }

  /** Submits jobs that only this queue runs; without another attempt unless they say so. */
  async submit(count: number, job: object = {}): Promise<readonly string[]> {
    const retry = { maxAttempts: 1 };
    const requirements = { queue: this.queue, memoryMiB: 100, diskMiB: 1, walltimeSeconds: 60 };
    const one = { name: 'a job', payload: { command: 'true' }, requirements, retry, ...job };
    const input = {
      ...{ experiment: 'alpha', idempotencyKey: randomUUID() },
      jobs: Array.from({ length: count }, () => one),
    };
    const { submitJobs } = await this.#core.ask(
      'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }',
      { input },
    );
    expect(submitJobs?.['userErrors']).toEqual([]);
    return (submitJobs?.['jobs'] as unknown as readonly Answer[]).map(({ id }) => String(id));
  }

  /** Acquires jobs for the worker of a host. */
  async acquire(host: string, count: number, waitSeconds = 60): Promise<readonly HeldJob[]> {
    const free = { cores: count, memoryMiB: 64_000, diskMiB: 100_000 };
    const { acquireJobs } = await this.#core.ask(
      'mutation ($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { fence job { id } } userErrors { message } } }',
      { input: { workerId: this.workerOf(host), count, free, waitSeconds } },
      pilotOf(this.queue),
    );
    const found = acquireJobs?.['assignments'] as unknown as readonly Answer[];
    return found.map(({ job, fence }) => ({ id: String(job?.['id']), fence: Number(fence) }));
  }

  /** Starts jobs of a host, and finishes them. */
  async finish(host: string, jobs: readonly HeldJob[]): Promise<void> {
    await this.#report('startJobs', host, jobs, { phase: 'RUNNING' });
    await this.#report('finishJobs', host, jobs, {});
  }

  /** Starts jobs of a host, which fail after 50 ms. */
  async fail(host: string, jobs: readonly HeldJob[]): Promise<void> {
    await this.#report('startJobs', host, jobs, { phase: 'RUNNING' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const error = { family: 'PAYLOAD', code: 'EXIT_CODE', message: 'exit code 1', isRetryable: true };
    await this.#report('failJobs', host, jobs, { error });
  }

  /** Submits jobs, and has a host run all of them. */
  async run(host: string, how: 'finish' | 'fail', count: number, job: object = {}): Promise<void> {
    await this.submit(count, job);
    await this.runWaiting(host, how, count);
  }

  /** Has a host run jobs that wait. */
  async runWaiting(host: string, how: 'finish' | 'fail', count: number): Promise<void> {
    for (let left = count; left > 0;) {
      const jobs = await this.acquire(host, Math.min(left, coresOfHost));
      if (jobs.length === 0) throw new Error(`${host} got no job`);
      await this[how](host, jobs);
      left -= jobs.length;
    }
  }

  /** Records of hosts of the queue. */
  async hosts(filter: object = {}): Promise<readonly Answer[]> {
    const { hosts } = await this.#core.ask(
      `query ($filter: HostFilter) { hosts(filter: $filter) { nodes { ${fields} } } }`,
      { filter: { queues: [this.queue], ...filter } },
    );
    return hosts?.['nodes'] as unknown as readonly Answer[];
  }

  /** Waits until a host has a state. */
  async untilState(host: string, state: string): Promise<void> {
    await waitFor(
      `${host} is ${state}`,
      async () => (await this.hosts({ hosts: [host] })).some((one) => String(one['state']) === state),
      { deadlineMs: 120_000 },
    );
  }

  /** Waits until the scheduler knows a host that is not healthy, which it reads after the store has it. */
  async untilKnown(): Promise<void> {
    const { registry } = this.#core.core.metrics;
    const isKnown = async (): Promise<boolean> => {
      const gauge = await registry.getSingleMetric('rhizome_core_hosts')?.get();
      return gauge?.values.some(({ value }) => value > 0) === true;
    };
    await waitFor('the scheduler knows a host that is not healthy', isKnown, { deadlineMs: 120_000 });
  }

  /**
   * Waits until core has judged everything so far: events are judged in their order, so it is enough that a
   * host which fails after all others is excluded.
   */
  async untilJudged(good: string, bad: string): Promise<void> {
    const job = { requirements: { queue: this.queue, memoryMiB: 101, diskMiB: 1, walltimeSeconds: 60 } };
    await this.run(good, 'finish', 4, job);
    await this.run(bad, 'fail', 6, job);
    await this.untilState(bad, 'EXCLUDED');
  }

  async decide(name: keyof typeof hostTexts, input: object, principal?: Principal): Promise<Answer> {
    const answer = await this.#core.ask(
      hostTexts[name],
      { input: { queue: this.queue, ...input } },
      principal,
    );
    return answer[name] as Answer;
  }

  /** Reason for which a job waits. */
  async summaryOf(id: string): Promise<string> {
    const { job } = await this.#core.ask('query ($id: ID!) { job(id: $id) { pending { summary } } }', { id });
    return String(job?.['pending']?.['summary']);
  }

  async #report(
    field: 'startJobs' | 'finishJobs' | 'failJobs',
    host: string,
    jobs: readonly HeldJob[],
    facts: object,
  ): Promise<void> {
    const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
    const input = { workerId: this.workerOf(host), jobs: jobs.map((job) => ({ ...job, ...facts })) };
    const answer = await this.#core.ask(
      `mutation ($input: ${type}!) { ${field}(input: $input) { userErrors { message } } }`,
      { input },
      pilotOf(this.queue),
    );
    expect(answer[field]?.['userErrors']).toEqual([]);
  }
}
