/**
 * Complete job cycles through the gateway: acquire → start → finish, 100 jobs per call, by 1 to 256 workers
 * with few or many pending jobs. The workers are connections of this process that use the pilots' protocol
 * and, like the pilot, ask for more while they report. A worker with a single open call shows the time of the
 * three calls.
 */
import { type Api, connectApi } from './api.js';
import type { Bench } from './bench.types.js';
import type { Calibration } from './calibration.js';
import { measureCpu, quantile, residentMiB } from './cpu.js';
import {
  type BenchWorker,
  closeWorkers,
  createBenchQueue,
  enrolWorkers,
  neverFull,
} from './enrolled-workers.js';
import type { Row } from './report.js';
import { benchExperiment, type Stack, startStack } from './stack.js';

/** One call that asks for jobs. */
export const acquire = /* GraphQL */ `
  mutation BenchAcquire($input: AcquireJobsInput!) {
    acquireJobs(input: $input) {
      assignments {
        job {
          id
        }
        fence
      }
      userErrors {
        message
      }
    }
  }
`;
/** Jobs that run. */
export const start = /* GraphQL */ `
  mutation BenchStart($input: StartJobsInput!) {
    startJobs(input: $input) {
      acceptedIds
    }
  }
`;
/** Jobs that ended well. */
export const finish = /* GraphQL */ `
  mutation BenchFinish($input: FinishJobsInput!) {
    finishJobs(input: $input) {
      acceptedIds
    }
  }
`;
const task = /* GraphQL */ `
  mutation BenchTask($input: SubmitTaskInput!) {
    submitTask(input: $input) {
      task {
        id
      }
      userErrors {
        message
      }
    }
  }
`;
const progressOf = /* GraphQL */ `
  query BenchProgress($id: ID!) {
    task(id: $id) {
      progress {
        createdJobs
      }
    }
  }
`;
const perCall = 100;

/** The answer to {@link acquire}. */
export interface Assignments {
  readonly acquireJobs: {
    readonly assignments: readonly { readonly job: { readonly id: string }; readonly fence: number }[];
    readonly userErrors: readonly { readonly message: string }[];
  };
}

interface Finished {
  readonly finishJobs: { readonly acceptedIds: readonly string[] };
}

/**
 * Fills the system with pending jobs and waits until all exist.
 * @param name name of their task, which the system has once
 * @param payload what each of them runs
 */
export async function fill(
  api: Api,
  count: number,
  progress: (text: string) => void,
  name = `lives-${count}`,
  payload: object = { command: 'true' },
): Promise<void> {
  const template = {
    name: 'life',
    requirements: { cores: 1, memoryMiB: 100, diskMiB: 10, walltimeSeconds: 600 },
    payload,
  };
  const { submitTask } = await api.post<{
    submitTask: { task: { id: string } | null; userErrors: readonly { message: string }[] };
  }>(task, {
    input: {
      experiment: benchExperiment,
      idempotencyKey: name,
      name,
      jobs: { count },
      template,
    },
  });
  if (!submitTask.task) throw new Error(submitTask.userErrors[0]?.message);
  for (let created = 0, shown = 0; created < count;) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const answer = await api.post<{ task: { progress: { createdJobs: number } } }>(progressOf, {
      id: submitTask.task.id,
    });
    created = answer.task.progress.createdJobs;
    if (created - shown >= 100_000) progress(`${(shown = created)} of ${count} jobs created`);
  }
}

/**
 * Groups of jobs that a worker like the pilot has capacity for: one being acquired, one started, one
 * finished.
 */
export const pilotsGroups = 3;

/** Time that a worker without jobs waits for some, in seconds. */
const longPollSeconds = 10;

/** Work of one worker, and its results. */
interface Work {
  readonly worker: BenchWorker;
  /** Time on the clock of `performance.now()` after which no more work is requested. */
  readonly until: number;
  /** Groups of up to 100 jobs held at once; with 1 the worker has one call open at a time. */
  readonly groups: number;
  /** The time of each acquire, in milliseconds. */
  readonly acquireMs: number[];
}

/**
 * One worker that behaves like the pilot: it acquires jobs while it reports started and finished ones, each
 * with one open call, within its capacity. Resolves to the number of finished jobs.
 */
async function work({ worker, until, groups, acquireMs }: Work): Promise<number> {
  const { api, id: workerId } = worker;
  const held: Promise<number>[] = [];
  let finished = 0;
  let started: Promise<unknown> = Promise.resolve();
  let ended: Promise<unknown> = Promise.resolve();
  while (performance.now() < until) {
    const asked = performance.now();
    const { acquireJobs } = await api.post<Assignments>(acquire, {
      // As the pilot does: without jobs it waits for some.
      input: {
        workerId,
        count: perCall,
        free: neverFull,
        waitSeconds: held.length === 0 ? longPollSeconds : 0,
      },
    });
    acquireMs.push(performance.now() - asked);
    const jobs = acquireJobs.assignments.map(({ job, fence }) => ({ id: job.id, fence }));
    const [refusal] = acquireJobs.userErrors;
    if (refusal) throw new Error(refusal.message);
    // Core answers within its waiting time, with nothing if need be; a pilot then calls again.
    if (jobs.length === 0) continue;
    const running = jobs.map((job) => ({ ...job, phase: 'RUNNING' }));
    started = started.then(() => api.post(start, { input: { workerId, jobs: running } }));
    const life = Promise.all([started, ended]).then(async () => {
      const done = await api.post<Finished>(finish, { input: { workerId, jobs } });
      return done.finishJobs.acceptedIds.length;
    });
    ended = life;
    held.push(life);
    // Both are awaited later: a call that fails meanwhile is the error of this worker, not of the process.
    for (const call of [started, life]) call.catch(() => undefined);
    if (held.length >= groups) finished += (await held.shift()) ?? 0;
  }
  return (await Promise.all(held)).reduce((sum, count) => sum + count, finished);
}

/** A fleet that is measured. */
export interface Fleet {
  readonly workers: number;
  readonly groups: number;
  readonly pending: number;
  readonly seconds: number;
}

/** A measured fleet. */
interface Measured {
  readonly fleet: Fleet;
  readonly perSecond: number;
  readonly rows: readonly Row[];
}

/** Work of a fleet, and what it cost. */
export interface FleetResult {
  readonly finished: number;
  readonly seconds: number;
  /** CPU seconds by process. */
  readonly cpu: Readonly<Record<string, number>>;
  /** The time of each acquire, in milliseconds. */
  readonly acquireMs: readonly number[];
}

/** Runs a fleet for its time. */
export async function runFleet(stack: Stack, fleet: Fleet): Promise<FleetResult> {
  const { workers, groups, pending, seconds } = fleet;
  const names = Array.from({ length: workers }, (_, i) => `bench-${workers}-${groups}-${pending}-${i}`);
  const enrolled = await enrolWorkers(stack, names, groups);
  try {
    const acquireMs: number[] = [];
    const started = performance.now();
    const { result, cpu } = await measureCpu(stack.pids, async () => {
      const until = started + seconds * 1000;
      const finished = await Promise.all(
        enrolled.map((worker) => work({ worker, until, groups, acquireMs })),
      );
      return finished.reduce((sum, n) => sum + n, 0);
    });
    return { finished: result, seconds: (performance.now() - started) / 1000, cpu, acquireMs };
  } finally {
    await closeWorkers(enrolled);
  }
}

async function measure(stack: Stack, fleet: Fleet, machine: Calibration): Promise<Measured> {
  const { workers, groups, pending } = fleet;
  const { finished, seconds, cpu, acquireMs } = await runFleet(stack, fleet);
  const manner = groups === 1 ? ', one call at a time' : '';
  const name = `lives: ${workers} workers${manner}, ${pending.toLocaleString('en')} pending`;
  const perSecond = finished / seconds;
  const alone = machine.cyclesPerSecond.get(workers);
  const ratio = {
    name: `${name}, compared with mongod alone`,
    value: perSecond / (alone ?? Number.NaN),
    unit: '×',
    goal: { value: 0.8, better: 'higher' as const },
  };
  const rows = [
    { name, value: perSecond, unit: 'lives/s' },
    ...(groups === 1 || alone === undefined ? [] : [ratio]),
    { name: `${name}: acquire p50`, value: quantile(acquireMs, 0.5), unit: 'ms' },
    { name: `${name}: gateway and core`, value: ((cpu['stack'] ?? 0) / finished) * 1e6, unit: 'µs CPU/life' },
    { name: `${name}: mongod`, value: ((cpu['mongod'] ?? 0) / finished) * 1e6, unit: 'µs CPU/life' },
  ];
  return { fleet, perSecond, rows };
}

/** Numbers of workers, each with the number of groups that it has capacity for. */
const fleets = [
  [1, 1],
  [1, pilotsGroups],
  [16, pilotsGroups],
  [64, pilotsGroups],
  [256, pilotsGroups],
] as const;

/** The benchmark. */
export const lives: Bench = {
  name: 'lives',
  about: 'acquire → start → finish through the gateway, 100 jobs a call',
  async run({ full, machine, progress }) {
    const rows: Row[] = [];
    const measured: Measured[] = [];
    for (const pending of full ? [10_000, 1_000_000, 10_000_000] : [10_000, 1_000_000]) {
      const stack = await startStack();
      const api = connectApi(stack.url, stack.adminToken, 2);
      try {
        await createBenchQueue(api);
        // What is measured is the rate at a standing backlog: each measurement's jobs come on top of it.
        await fill(api, pending, progress);
        for (const [workers, groups] of fleets) {
          const extra = pending <= 10_000 ? 60_000 : 0;
          if (extra > 0) await fill(api, extra + workers + groups, progress);
          const one = await measure(stack, { workers, groups, pending, seconds: full ? 20 : 8 }, machine);
          measured.push(one);
          rows.push(...one.rows);
          progress(`${one.rows[0]?.name}: ${Math.round(one.perSecond)} lives/s`);
        }
        rows.push({
          name: `lives: memory of gateway and core, ${pending.toLocaleString('en')} pending`,
          value: residentMiB(stack.pids['stack'] ?? 0),
          unit: 'MiB',
        });
      } finally {
        await api.close();
        await stack.stop();
      }
    }
    return [...rows, ...flatness(measured)];
  },
};

/** Rows that show how much the rate depends on the number of workers and of pending jobs. */
function flatness(measured: readonly Measured[]): readonly Row[] {
  const asPilots = measured.filter(({ fleet }) => fleet.groups === pilotsGroups);
  const goal = { value: 0.9, better: 'higher' as const };
  const sizes = [...new Set(asPilots.map(({ fleet }) => fleet.pending))].sort((a, b) => a - b);
  const byWorkers = sizes.map((pending) => {
    const rates = asPilots.filter(({ fleet }) => fleet.pending === pending);
    const fastest = Math.max(...rates.map(({ perSecond }) => perSecond));
    const largest = rates.reduce((a, b) => (a.fleet.workers > b.fleet.workers ? a : b));
    const name = `lives: ${largest.fleet.workers} workers compared with the fastest, ${pending.toLocaleString('en')} pending`;
    return { name, value: largest.perSecond / fastest, unit: '×', goal };
  });
  const [least] = sizes;
  const byPending = asPilots
    .filter(({ fleet }) => fleet.pending !== least)
    .flatMap(({ fleet, perSecond }) => {
      const base = asPilots.find((one) => one.fleet.workers === fleet.workers && one.fleet.pending === least);
      const name = `lives: ${fleet.workers} workers, ${fleet.pending.toLocaleString('en')} pending compared with ${least?.toLocaleString('en')}`;
      return base ? [{ name, value: perSecond / base.perSecond, unit: '×', goal }] : [];
    });
  return [...byWorkers, ...byPending];
}
