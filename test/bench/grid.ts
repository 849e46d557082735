/**
 * A grid at rest and at work: thousands of workers with a credential, a socket and running jobs each, and
 * many pending jobs, on one core process, one gateway and one mongod. Everything is loaded by the API:
 * workers enrol, register and acquire their jobs. Then it measures CPU time and memory of each process at
 * heartbeat intervals of 60 and 10 seconds and at several rates of job cycles, and the time that a new
 * leader needs.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Bench, BenchOptions } from './bench.types.js';
import { cpuSeconds, measureCpu, residentMiB } from './cpu.js';
import { type Generators, type GridReport, startGenerators } from './grid/generators.js';
import { assertDescriptors, descriptorLimit, type GridScale, jobsPerWorker, scales } from './grid/scale.js';
import { gridQueue, type GridSystem, startGridSystem } from './grid/system.js';
import { measureTakeover } from './grid/takeover.js';
import { fill } from './lives.js';
import type { Goal, Row } from './report.js';

const heartbeatSeconds = [60, 10] as const;
const livesPerSecond = [0, 100, 1000] as const;
/** Time for a new pace to take effect. */
const settleMs = 3000;
const progressMs = 10_000;
/** Most jobs of one task. */
const largestTask = 1_000_000;

/** A measured pace. */
interface Measured {
  readonly heartbeatSeconds: number;
  readonly livesPerSecond: number;
  readonly seconds: number;
  readonly cpu: Readonly<Record<string, number>>;
  readonly report: GridReport;
}

/** Jobs that end while the paces are measured; as many pending ones take their place. */
function livesOf({ seconds }: GridScale): number {
  const perSecond = livesPerSecond.reduce<number>((sum, rate) => sum + rate, 0);
  return heartbeatSeconds.length * perSecond * (seconds + settleMs / 1000);
}

/** Submits the jobs. */
async function submit(
  { admin }: GridSystem,
  scale: GridScale,
  progress: (text: string) => void,
): Promise<void> {
  for (let left = scale.running + scale.pending + livesOf(scale), task = 0; left > 0; task += 1) {
    const count = Math.min(left, largestTask);
    await fill(admin, count, progress, `grid-${task}`);
    left -= count;
  }
}

/** Starts the workers, and reports how far they are. */
async function startWorkers(
  system: GridSystem,
  generators: Generators,
  { scale, progress }: { readonly scale: GridScale; readonly progress: (text: string) => void },
): Promise<void> {
  const codes = await Promise.all(generators.parts.map(() => system.invite()));
  const started = generators.start({ queue: gridQueue }, ({ gateway }, at) => ({
    url: system.gateways[gateway]?.url ?? '',
    code: codes[at] ?? '',
  }));
  const before = performance.now();
  const timer = setInterval(() => {
    const cpu = Object.entries(system.pids()).map(([name, pid]) => `${name} ${cpuSeconds(pid).toFixed(0)} s`);
    progress(`workers start: ${((performance.now() - before) / 1000).toFixed(0)} s, CPU ${cpu.join(', ')}`);
  }, progressMs);
  try {
    await started;
  } finally {
    clearInterval(timer);
  }
  const { workers, running } = await generators.report();
  const perWorker = jobsPerWorker(scale);
  progress(`${workers} workers run ${running} jobs, ${perWorker} each`);
  if (running !== workers * perWorker) throw new Error(`${running} jobs run; must be ${workers * perWorker}`);
}

async function measure(
  system: GridSystem,
  generators: Generators,
  pace: Pick<Measured, 'heartbeatSeconds' | 'livesPerSecond' | 'seconds'>,
): Promise<Measured> {
  await generators.pace(pace);
  await delay(settleMs);
  await generators.pace(pace);
  const { cpu } = await measureCpu(system.pids(), () => delay(pace.seconds * 1000));
  return { ...pace, cpu, report: await generators.report() };
}

/** Name of a pace in rows. */
function nameOf({ heartbeatSeconds, livesPerSecond }: Omit<Measured, 'cpu' | 'report' | 'seconds'>): string {
  const load = livesPerSecond === 0 ? 'at rest' : `at ${livesPerSecond.toLocaleString('en')} lives/s`;
  return `grid: heartbeats every ${heartbeatSeconds} s, ${load}`;
}

const atMost = (value: number): Goal => ({ value, better: 'lower' });

function rowsOf({ cpu, report, ...pace }: Measured, scale: GridScale): readonly Row[] {
  const name = nameOf(pace);
  const isResting = pace.livesPerSecond === 0;
  const perSecond = Object.entries(cpu).map(([process, used]) => ({ process, value: used / pace.seconds }));
  const all = perSecond.reduce((sum, { value }) => sum + value, 0);
  // The goal is for a whole grid; a part of one shows the cost for each worker.
  const isGoal = isResting && pace.heartbeatSeconds === 60 && scale.workers >= scales.full.workers;
  return [
    ...perSecond.map(({ process, value }) => ({ name: `${name}: ${process}`, value, unit: 'CPU s/s' })),
    { name: `${name}: all`, value: all, unit: 'CPU s/s', ...(isGoal ? { goal: atMost(1) } : {}) },
    {
      name: `${name}: heartbeat p99`,
      value: report.heartbeats.quantile(0.99),
      unit: 'ms',
      ...(isResting ? { goal: atMost(250) } : {}),
    },
    { name: `${name}: heartbeats`, value: report.heartbeats.size / pace.seconds, unit: '/s' },
    ...(isResting ? [] : [{ name: `${name}: lives`, value: report.lives / pace.seconds, unit: '/s' }]),
    { name: `${name}: failed calls`, value: report.failures, unit: 'calls', goal: atMost(0) },
  ];
}

async function measurePaces(
  system: GridSystem,
  generators: Generators,
  { grid: scale, progress }: BenchOptions,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const seconds of heartbeatSeconds) {
    await system.setHeartbeats(seconds);
    for (const lives of livesPerSecond) {
      const pace = { heartbeatSeconds: seconds, livesPerSecond: lives, seconds: scale.seconds };
      const measured = await measure(system, generators, pace);
      const { errors, renewals } = measured.report;
      const found = rowsOf(measured, scale);
      rows.push(...found);
      const cpu = Object.entries(measured.cpu).map(
        ([name, used]) => `${name} ${(used / scale.seconds).toFixed(3)}`,
      );
      progress(`${nameOf(pace)}: CPU s/s ${cpu.join(', ')}; ${renewals} renewals; ${errors.join('; ')}`);
    }
  }
  return rows;
}

/** Everything that is measured of a running grid. */
async function measureGrid(
  system: GridSystem,
  generators: Generators,
  options: BenchOptions,
): Promise<readonly Row[]> {
  const { grid: scale, progress } = options;
  const size = `${scale.workers.toLocaleString('en')} workers, ${scale.running.toLocaleString('en')} running`;
  progress(`${size}, ${scale.pending.toLocaleString('en')} pending; submitting`);
  await submit(system, scale, progress);
  await startWorkers(system, generators, { scale, progress });
  const rows = await measurePaces(system, generators, options);
  const memory = Object.entries(system.pids()).map(([process, pid]) => ({
    name: `grid: memory of ${process}, ${size}`,
    value: residentMiB(pid),
    unit: 'MiB',
  }));
  return [...rows, ...memory, ...(await measureTakeover(system, generators, options))];
}

/** The benchmark. */
export const grid: Bench = {
  name: 'grid',
  about: 'a whole grid: cost at rest and at work, memory, heartbeats, a new leader',
  async run(options) {
    assertDescriptors(options.grid, descriptorLimit());
    const system = await startGridSystem(options.grid);
    const generators = startGenerators(options.grid);
    try {
      return await measureGrid(system, generators, options);
    } finally {
      await generators.stop();
      await system.stop();
    }
  },
};
