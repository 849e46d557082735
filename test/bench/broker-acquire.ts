/**
 * Single acquires at a steady rate, through the gateway: an open loop. Each call is due at its time and is
 * sent then, whether or not others have been answered; its latency counts from when it was due. What was
 * acquired is started and ended too, as pilots do it: a worker reports together what it has gathered for a
 * moment, and its workers do so out of step.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Api, connectApi } from './api.js';
import type { Calibration } from './calibration.js';
import { measureCpu, quantile } from './cpu.js';
import {
  type BenchWorker,
  closeWorkers,
  createBenchQueue,
  enrolWorkers,
  neverFull,
} from './enrolled-workers.js';
import { acquire, type Assignments, fill, finish, start } from './lives.js';
import { inLoops } from './loops.js';
import type { Row } from './report.js';
import { type Stack, startStack } from './stack.js';

/** The load. */
export interface AcquireLoad {
  readonly perSecond: number;
  readonly seconds: number;
  /** Hosts that ask in turn. */
  readonly workers: number;
  /** Time that a worker collects its reports, in milliseconds. */
  readonly gatherMs: number;
}

/** Calls under way at once; one that finds no connection waits, and is late for it. */
const asking = 256;

/** Time that the load runs before measuring starts, so that the server has compiled its hot code. */
const warmSeconds = 5;

interface Held {
  readonly id: string;
  readonly fence: number;
}

/** A host: asks for one job at a time, and reports what started and what ended in groups. */
class Host {
  readonly #api: Api;
  readonly #workerId: string;
  #fresh: Held[] = [];
  #running: Held[] = [];
  #isDone = false;
  readonly #reporting: Promise<void>;

  constructor({ api, id }: BenchWorker, gatherMs: number, firstAfterMs: number) {
    this.#api = api;
    this.#workerId = id;
    this.#reporting = this.#reports(gatherMs, firstAfterMs);
  }

  /** Asks for one job. @param dueAt when the call was due */
  async ask(dueAt: number, times: number[]): Promise<void> {
    const { acquireJobs } = await this.#api.post<Assignments>(acquire, {
      input: { workerId: this.#workerId, count: 1, free: neverFull, waitSeconds: 10 },
    });
    times.push(performance.now() - dueAt);
    const [given] = acquireJobs.assignments;
    if (!given) throw new Error(acquireJobs.userErrors[0]?.message ?? 'no jobs left to acquire');
    this.#fresh.push({ id: given.job.id, fence: given.fence });
  }

  /** Reports the rest; nothing may be asked for any more. */
  async settle(): Promise<void> {
    this.#isDone = true;
    await this.#reporting;
  }

  async #reports(gatherMs: number, firstAfterMs: number): Promise<void> {
    await delay(firstAfterMs);
    while (!this.#isDone || this.#fresh.length + this.#running.length > 0) {
      const begun = performance.now();
      await this.#report();
      if (!this.#isDone) await delay(Math.max(0, begun + gatherMs - performance.now()));
    }
  }

  /** New starts since the last report; the jobs of that report have ended. */
  async #report(): Promise<void> {
    const [started, ended] = [this.#fresh, this.#running];
    [this.#fresh, this.#running] = [[], started];
    const input = { workerId: this.#workerId };
    const jobs = started.map((job) => ({ ...job, phase: 'RUNNING' }));
    await Promise.all([
      ended.length > 0 && this.#api.post(finish, { input: { ...input, jobs: ended } }),
      started.length > 0 && this.#api.post(start, { input: { ...input, jobs } }),
    ]);
  }
}

/** Sends the calls when they are due, to one host after the other; resolves when all are answered. */
async function askSteadily(
  hosts: readonly Host[],
  { perSecond, seconds }: Pick<AcquireLoad, 'perSecond' | 'seconds'>,
): Promise<number[]> {
  const times: number[] = [];
  const asked: Promise<void>[] = [];
  const begun = performance.now();
  for (let number = 0; number < seconds * perSecond;) {
    for (const now = performance.now(); number < seconds * perSecond; number += 1) {
      const dueAt = begun + (number * 1000) / perSecond;
      if (dueAt > now) break;
      const host = hosts[number % hosts.length];
      if (host) asked.push(host.ask(dueAt, times));
    }
    await delay(1);
  }
  await Promise.all(asked);
  return times;
}

async function openStack(load: AcquireLoad, progress: (text: string) => void): Promise<Stack> {
  const stack = await startStack();
  const admin = connectApi(stack.url, stack.adminToken, 2);
  await createBenchQueue(admin, { heartbeatSeconds: 300, leaseSeconds: 3600 });
  await fill(admin, (warmSeconds + load.seconds + 2) * load.perSecond, progress);
  await admin.close();
  return stack;
}

/** Measures it, on a system of its own. */
export async function measureAcquire(
  load: AcquireLoad,
  machine: Calibration,
  progress: (text: string) => void,
): Promise<readonly Row[]> {
  const stack = await openStack(load, progress);
  const names = Array.from({ length: load.workers }, (_, index) => `broker-${index}`);
  let workers: readonly BenchWorker[] = [];
  try {
    workers = await enrolWorkers(stack, names, Math.ceil(asking / load.workers));
    const outOfStep = load.gatherMs / load.workers;
    const hosts = workers.map((worker, index) => new Host(worker, load.gatherMs, index * outOfStep));
    await askSteadily(hosts, { ...load, seconds: warmSeconds });
    const { result: times, cpu } = await measureCpu(stack.pids, () => askSteadily(hosts, load));
    await Promise.all(hosts.map((host) => host.settle()));
    return rowsOf(load, machine, { times, cpu });
  } finally {
    await closeWorkers(workers);
    await stack.stop();
  }
}

function rowsOf(
  { perSecond }: AcquireLoad,
  machine: Calibration,
  { times, cpu }: { readonly times: readonly number[]; readonly cpu: Readonly<Record<string, number>> },
): readonly Row[] {
  const name = 'single acquire at an even rate';
  const p99 = quantile(times, 0.99);
  const micros = (process: string): number => ((cpu[process] ?? 0) / times.length) * 1e6;
  return [
    { name, value: perSecond, unit: 'jobs/s offered' },
    { name: `${name}: p50`, value: quantile(times, 0.5), unit: 'ms' },
    { name: `${name}: p99`, value: p99, unit: 'ms' },
    inLoops({ name: `${name}: p99`, ms: p99, most: 1 }, machine),
    { name: `${name}: longest`, value: Math.max(...times), unit: 'ms' },
    { name: `${name}: gateway and core`, value: micros('stack'), unit: 'µs CPU/life' },
    { name: `${name}: mongod`, value: micros('mongod'), unit: 'µs CPU/life' },
  ];
}
