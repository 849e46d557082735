/** Size of the grid that is measured, and what it needs of the machine. */
import { readFileSync } from 'node:fs';

/** Numbers that an option sets. */
export const scaleOptions = ['workers', 'running', 'pending', 'seconds', 'gateways'] as const;

/** Size of the grid. */
export type GridScale = Readonly<Record<(typeof scaleOptions)[number], number>>;

/** Sizes by kind of run. */
export const scales = {
  brief: { workers: 500, running: 4000, pending: 10_000, seconds: 10, gateways: 1 },
  usual: { workers: 5000, running: 40_000, pending: 100_000, seconds: 30, gateways: 1 },
  full: { workers: 75_000, running: 600_000, pending: 1_000_000, seconds: 120, gateways: 1 },
} as const satisfies Readonly<Record<string, GridScale>>;

/** Most workers of one generator process; an invitation is for as many. */
export const workersPerProcess = 10_000;
/** Ports of a source address that are used, of the 28,000 that a kernel gives by default. */
export const workersPerAddress = 15_000;
/** Files, and sockets for other purposes, of any process. */
const spareDescriptors = 1000;
const largestOption = 10_000_000;

/**
 * The size of a run with the given options.
 * @throws RangeError for a value that is no number, or for fewer running jobs than workers
 */
export function scaleOf(
  size: GridScale,
  given: Readonly<Partial<Record<(typeof scaleOptions)[number], string | undefined>>>,
): GridScale {
  const scale = { ...size };
  for (const option of scaleOptions) {
    const text = given[option];
    if (text === undefined) continue;
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1 || value > largestOption)
      throw new RangeError(
        `--${option}: ${text} is wrong; must be a whole number from 1 to ${largestOption}`,
      );
    scale[option] = value;
  }
  if (scale.running < scale.workers)
    throw new RangeError(
      `--running: ${scale.running} is too small; must be at least ${scale.workers}, a job for each worker`,
    );
  return scale;
}

/** Jobs that each worker runs. */
export function jobsPerWorker({ running, workers }: GridScale): number {
  return Math.round(running / workers);
}

/** Open files that a process needs. */
export interface Descriptors {
  readonly gateway: number;
  readonly generator: number;
}

/** Open files that each process needs: one socket for each worker, and some more. */
export function descriptorsOf({ workers, gateways }: GridScale): Descriptors {
  return {
    gateway: Math.ceil(workers / gateways) + spareDescriptors,
    generator: Math.min(workers, workersPerProcess) + spareDescriptors,
  };
}

/** Largest number of open files that a process of this user may have; Node uses it as it is. */
export function descriptorLimit(limits = readFileSync('/proc/self/limits', 'utf8')): number {
  const [, hard] = /^Max open files\s+\S+\s+(\S+)/m.exec(limits) ?? [];
  return hard === 'unlimited' ? Infinity : Number(hard);
}

/** @throws RangeError if a process may not open as many files as it needs */
export function assertDescriptors(scale: GridScale, limit: number): void {
  const { gateway, generator } = descriptorsOf(scale);
  const most = Math.max(gateway, generator);
  if (most <= limit) return;
  const gateways = Math.ceil(scale.workers / Math.max(1, limit - spareDescriptors));
  throw new RangeError(
    `The limit of open files is ${limit}; ${scale.workers} workers at ${scale.gateways} gateways need ${most}. ` +
      `Raise it (ulimit -Hn ${most}), or use --gateways ${gateways}`,
  );
}
