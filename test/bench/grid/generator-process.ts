/**
 * Workers of a grid, thousands in a process: they send heartbeats, end jobs at a rate, and renew
 * credentials.
 */
import { forEachConcurrently } from '@rhizome/retry';
import { answerQuestions } from '../live/processes.js';
import { GridWorker, type WorkerSeed } from './grid-worker.js';
import { Latencies } from './latencies.js';
import { dueWorkers, Pace, sourceAddress } from './schedule.js';
import { workersPerAddress } from './scale.js';

/** Workers to start. */
export interface StartQuestion {
  readonly url: string;
  readonly queue: string;
  readonly code: string;
  /** Number of the first one; those of other processes have other numbers. */
  readonly first: number;
  readonly workers: number;
  /** Jobs that each runs at once. */
  readonly capacity: number;
}

/** Pace of the workers from now on. */
export interface PaceQuestion {
  readonly heartbeatSeconds: number;
  readonly livesPerSecond: number;
}

/** Work since the last change of the pace. */
export interface GeneratorReport {
  readonly workers: number;
  readonly running: number;
  /** Workers whose stream of commands is open, and that had an answer to a heartbeat. */
  readonly inContact: number;
  /** Times of heartbeats, as {@link Latencies} has them. */
  readonly heartbeats: readonly number[];
  readonly failures: number;
  readonly lives: number;
  readonly renewals: number;
  /** Of the failures, a few that differ. */
  readonly errors: readonly string[];
}

const tickMs = 20;
/** Workers that start at once. */
const lanes = 24;
const shownErrors = 5;
/** Prime: lives go to workers far apart. */
const stride = 7919;

const workers: GridWorker[] = [];
const lives = new Pace();
let periodMs = 60_000;
let heartbeats = new Latencies();
let counted = { failures: 0, lives: 0, renewals: 0 };
let errors = new Set<string>();
let pacedAt = performance.now();
let turn = 0;

function failed(error: unknown): void {
  counted.failures += 1;
  if (errors.size < shownErrors) errors.add(error instanceof Error ? error.message : String(error));
}

async function start({ url, queue, code, first, capacity, ...asked }: StartQuestion): Promise<void> {
  const world = { url, queue, capacity, failed };
  const seeds = Array.from({ length: asked.workers }, (_, at): WorkerSeed => {
    const number = first + at;
    return { name: `grid-${number}`, code, localAddress: sourceAddress(number, workersPerAddress) };
  });
  await forEachConcurrently(seeds, lanes, async (seed) => {
    workers.push(await GridWorker.start(world, seed));
  });
}

function setPace({ heartbeatSeconds, livesPerSecond }: PaceQuestion): void {
  periodMs = heartbeatSeconds * 1000;
  lives.set(livesPerSecond);
  heartbeats = new Latencies();
  counted = { failures: 0, lives: 0, renewals: 0 };
  errors = new Set();
  pacedAt = performance.now();
}

function report(): GeneratorReport {
  return {
    workers: workers.length,
    running: workers.reduce((sum, { running }) => sum + running, 0),
    inContact: workers.filter(({ isFollowing, beatAt }) => isFollowing && beatAt >= pacedAt).length,
    heartbeats: heartbeats.counts,
    ...counted,
    errors: [...errors],
  };
}

async function beat(worker: GridWorker): Promise<void> {
  const sentAt = performance.now();
  if (await worker.heartbeat()) heartbeats.record(performance.now() - sentAt);
}

async function live(): Promise<void> {
  const worker = workers[(turn = (turn + stride) % workers.length)];
  if (await worker?.next()) counted.lives += 1;
}

/** Renews the credentials that are due; a credential has minutes until its end. */
function renew(): void {
  const now = performance.now();
  for (const worker of workers) {
    if (worker.renewAt > now) continue;
    counted.renewals += 1;
    void worker.renew();
  }
}

let from = performance.now();
setInterval(() => {
  const until = performance.now();
  for (const at of dueWorkers({ from, until }, { workers: workers.length, periodMs })) {
    const worker = workers[at];
    if (worker) void beat(worker);
  }
  if (workers.length > 0) for (let due = lives.after(until - from); due > 0; due -= 1) void live();
  from = until;
}, tickMs);
setInterval(renew, 1000);

answerQuestions({
  start,
  pace: setPace,
  report,
  stop: () => workers.forEach((worker) => worker.close()),
});
