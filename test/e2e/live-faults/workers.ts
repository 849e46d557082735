/**
 * Workers that speak the pilots' protocol and go on through whatever happens: they take jobs through their
 * lives as fast as they can.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient, TypedDocumentNode } from '@rhizome/client';
import { parse } from 'graphql';

interface Assignment {
  readonly fence: number;
  readonly attempt: number;
  readonly job: { readonly id: string; readonly name: string };
}
type Reports = Readonly<Record<string, { readonly acceptedIds: readonly string[] }>>;
type Operation<T> = TypedDocumentNode<T, { readonly input: object }>;

const operation = <T>(text: string): Operation<T> => parse(text) as Operation<T>;
const register = operation<{ registerWorker: { worker: { id: string } | null; userErrors: unknown[] } }>(
  'mutation Register($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { message } } }',
);
const acquire = operation<{ acquireJobs: { assignments: Assignment[]; userErrors: { code: string }[] } }>(
  'mutation Acquire($input: AcquireJobsInput!) { acquireJobs(input: $input) { assignments { fence attempt job { id name } } userErrors { code } } }',
);
const heartbeat = operation<{ heartbeat: { userErrors: { code: string }[] } }>(
  'mutation Heartbeat($input: HeartbeatInput!) { heartbeat(input: $input) { userErrors { code } } }',
);
const report = (name: string): Operation<Reports> =>
  operation(
    `mutation Report($input: ${name[0]?.toUpperCase()}${name.slice(1)}Input!) { ${name}(input: $input) { acceptedIds } }`,
  );
const reports = { start: report('startJobs'), finish: report('finishJobs'), fail: report('failJobs') };

const capacity = { cores: 1000, memoryMiB: 1_000_000, diskMiB: 1_000_000 };
const heartbeatMs = 3000;
/** Time after which a failed worker starts again. */
const againMs = 500;
const error = { family: 'PAYLOAD', code: 'TRY_AGAIN', message: 'as the story wants it', isRetryable: true };

/** Options of a worker. */
export interface WorkerScript {
  readonly client: ApiClient;
  /** Makes another worker, which each registration needs. */
  readonly startWorker: () => Promise<void>;
  readonly queue: string;
  readonly name: string;
  /** Jobs in its hands at most. */
  readonly batch: number;
  /** True if the attempt of a job shall fail. */
  readonly fails: (job: { readonly id: string }, attempt: number) => boolean;
  /** Called for each FINISHED job. */
  readonly finished: () => void;
  /** Called with the reason when the worker starts again. */
  readonly failed: (error: unknown) => void;
}

/** Works until the signal is aborted. A lost worker registers again. */
export async function work(script: WorkerScript, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await new ScriptedWorker(script, signal).run();
    } catch (error) {
      if (signal.aborted) return;
      script.failed(error);
      await delay(againMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

class ScriptedWorker {
  readonly #script: WorkerScript;
  readonly #signal: AbortSignal;
  readonly #held = new Map<string, number>();
  #id = '';
  #isLost = false;

  constructor(script: WorkerScript, signal: AbortSignal) {
    this.#script = script;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const { queue, name, startWorker } = this.#script;
    await startWorker();
    const hardware = { architecture: 'x86_64', ...capacity };
    const input = { queue, name, host: 'story', hardware, version: '1', idempotencyKey: randomUUID() };
    const { registerWorker } = await this.#send(register, input);
    if (!registerWorker.worker) throw new Error(JSON.stringify(registerWorker.userErrors));
    this.#id = registerWorker.worker.id;
    const beats = setInterval(() => void this.#beat().catch(() => undefined), heartbeatMs);
    try {
      while (!this.#signal.aborted && !this.#isLost) await this.#batch();
    } finally {
      clearInterval(beats);
    }
  }

  async #batch(): Promise<void> {
    const { batch, fails, finished } = this.#script;
    const { acquireJobs } = await this.#send(acquire, { count: batch, free: capacity, waitSeconds: 2 });
    if (acquireJobs.userErrors.length > 0) this.#isLost = true;
    const jobs = acquireJobs.assignments;
    if (jobs.length === 0) return;
    for (const { job, fence } of jobs) this.#held.set(job.id, fence);
    const refs = jobs.map(({ job, fence }) => ({ id: job.id, fence }));
    await this.#report(
      'start',
      refs.map((ref) => ({ ...ref, phase: 'RUNNING' })),
    );
    const isBad = new Set(jobs.filter(({ job, attempt }) => fails(job, attempt)).map(({ job }) => job.id));
    const bad = refs.filter(({ id }) => isBad.has(id)).map((ref) => ({ ...ref, error }));
    if (bad.length > 0) await this.#report('fail', bad);
    const good = refs.filter(({ id }) => !isBad.has(id));
    const accepted = good.length === 0 ? 0 : await this.#report('finish', good);
    for (const { id } of refs) this.#held.delete(id);
    for (let count = 0; count < accepted; count++) finished();
  }

  async #report(kind: keyof typeof reports, jobs: readonly object[]): Promise<number> {
    const answer = await this.#send(reports[kind], { jobs });
    return answer[`${kind}Jobs`]?.acceptedIds.length ?? 0;
  }

  async #beat(): Promise<void> {
    const jobs = [...this.#held].map(([id, fence]) => ({ id, fence }));
    const { heartbeat: answer } = await this.#send(heartbeat, { jobs });
    if (answer.userErrors.length > 0) this.#isLost = true;
  }

  /** Whatever is sent twice does what it does once; a grant that is never answered is taken back by core. */
  #send<T>(document: Operation<T>, input: object): Promise<T> {
    const { client } = this.#script;
    const variables = { input: { ...(this.#id === '' ? {} : { workerId: this.#id }), ...input } };
    return client.mutate(document, variables, {
      idempotent: true,
      signal: this.#signal,
      timeoutMs: 10_000,
      retry: { attempts: 1000, initialDelayMs: 100, maxDelayMs: 1000 },
    });
  }
}
