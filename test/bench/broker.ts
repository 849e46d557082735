/**
 * The broker: full passes over a synthetic fleet, what explaining costs, single acquires at a steady rate through the gateway, and the replay of
 * a public trace beside other rules.
 */
import {
  classIdOf,
  explainPending,
  GrantHistory,
  prepareClass,
  type StoredRequirements,
} from '@rhizome/core/broker';
import { type Api, connectApi } from './api.js';
import type { Bench } from './bin.js';
import { measurePasses } from './broker-pass.js';
import { World } from './broker-world.js';
import { quantile } from './cpu.js';
import { acquire, type Assignments, fill, finish, registerWorker, start } from './lives.js';
import type { Row } from './report.js';
import { startStack } from './stack.js';
import { replayTraces } from './trace.js';

const perSecond = 1000;
const asking = 64;
const explained = 20;

/** What it takes to explain a job that nobody can run, at full scale. */
export function measureExplanation(): readonly Row[] {
  const world = new World({ workers: 20_000, classes: 10, pending: 1000 });
  const requirements: StoredRequirements = {
    cores: 32,
    memoryMiB: 100_000,
    diskMiB: 0,
    walltimeSeconds: 3600,
    network: false,
    gpu: {
      count: 8,
      models: ['A100'],
      cudaRuntime: '12.9',
      needsNewDriverFeature: true,
      minMemoryMiB: 81_920,
      ecc: true,
      sassTargets: [],
      ptxTargets: [],
      nvlink: false,
      optional: false,
    },
  };
  const classId = classIdOf(requirements);
  const job = {
    _id: 'job_1',
    state: 'ACTIVATED' as const,
    share: 'bench/default',
    owner: 'bench',
    priority: 0,
    classId,
    waitingFor: [],
  };
  const place = { position: 0, positionIsEstimate: false, inClass: 0 };
  const history = new GrantHistory();
  const times: number[] = [];
  for (let i = 0; i < explained; i += 1) {
    const { fleet, ledger } = world;
    const cls = prepareClass(classId, -1, requirements);
    const begun = performance.now();
    explainPending(job, cls, { fleet, ledger, history, nowMs: begun }, place);
    times.push(performance.now() - begun);
  }
  return [
    {
      name: 'job.pending, 20,000 workers of 70 shapes: p90 of an explanation',
      value: quantile(times, 0.9),
      unit: 'ms',
      goal: { value: 50, better: 'lower' },
    },
  ];
}

/** Jobs that a worker holds are ended together, so that what is measured is the acquire. */
class Asking {
  #held: { id: string; fence: number }[] = [];

  constructor(
    private readonly api: Api,
    private readonly workerId: string,
  ) {}

  /** Asks for one job. @param dueAt when it was due: a call that had to wait for its turn was late for its caller too */
  async ask(dueAt: number, times: number[]): Promise<void> {
    const free = { cores: 4096, memoryMiB: 16_000_000, diskMiB: 16_000_000 };
    const { acquireJobs } = await this.api.post<Assignments>(acquire, {
      input: { workerId: this.workerId, count: 1, free, waitSeconds: 10 },
    });
    times.push(performance.now() - dueAt);
    this.#held.push(...acquireJobs.assignments.map(({ job, fence }) => ({ id: job.id, fence })));
    if (acquireJobs.assignments.length === 0)
      throw new Error(acquireJobs.userErrors[0]?.message ?? 'no jobs left to acquire');
    if (this.#held.length >= 100) await this.#end();
  }

  async #end(): Promise<void> {
    const jobs = this.#held;
    this.#held = [];
    const input = { workerId: this.workerId };
    await this.api.post(start, {
      input: { ...input, jobs: jobs.map((job) => ({ ...job, phase: 'RUNNING' })) },
    });
    await this.api.post(finish, { input: { ...input, jobs } });
  }
}

async function askSteadily(api: Api, workers: readonly Asking[], seconds: number): Promise<number[]> {
  const times: number[] = [];
  const begun = performance.now();
  let issued = 0;
  await Promise.all(
    workers.map(async (worker) => {
      for (;;) {
        const number = issued++;
        if (number >= seconds * perSecond) return;
        const dueAt = begun + (number * 1000) / perSecond;
        const early = dueAt - performance.now();
        if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
        await worker.ask(dueAt, times);
      }
    }),
  );
  return times;
}

/** Single acquires at a steady rate, through the gateway. */
export async function measureAcquire(
  seconds: number,
  progress: (text: string) => void,
): Promise<readonly Row[]> {
  const stack = await startStack();
  try {
    const admin = connectApi(stack.url, stack.adminToken, 2);
    await admin.post(
      `mutation { createQueue(input: { name: "bench", site: "BENCH", limits: { heartbeatSeconds: 300, leaseSeconds: 3600 } }) { userErrors { message } } }`,
    );
    await fill(admin, (seconds + 5) * perSecond, progress);
    await admin.close();
    const api = connectApi(stack.url, await stack.pilotToken('bench'), asking);
    const ids = await Promise.all(
      Array.from({ length: asking }, (_, index) => registerWorker(api, `broker-${index}`)),
    );
    const workers = ids.map((id) => new Asking(api, id));
    await askSteadily(api, workers, 2);
    const times = await askSteadily(api, workers, seconds);
    await api.close();
    const name = `single acquire at ${perSecond.toLocaleString('en')} jobs/s`;
    return [
      { name: `${name}: p50`, value: quantile(times, 0.5), unit: 'ms' },
      {
        name: `${name}: p99`,
        value: quantile(times, 0.99),
        unit: 'ms',
        goal: { value: 100, better: 'lower' },
      },
    ];
  } finally {
    await stack.stop();
  }
}

/** The benchmark. */
export const broker: Bench = {
  name: 'broker',
  about:
    'full passes, explanations, single acquires at 1,000 jobs/s, and the replay of a trace beside other rules',
  async run({ full, progress }) {
    return [
      ...measurePasses(progress),
      ...measureExplanation(),
      ...(await measureAcquire(full ? 30 : 10, progress)),
      ...replayTraces(progress),
    ];
  },
};
