/** Sums of the resources of granted jobs. */
import type { LedgerEntry } from '../scheduler.types.js';

/** Current usage of a share, or of a queue by an experiment. */
export interface Usage {
  readonly cores: number;
  readonly memoryMiB: number;
  /** Whole GPUs: a MIG slice counts as its part of its device. */
  readonly gpus: number;
  readonly jobs: number;
}

/** Sum of the resources of jobs. */
export interface Sum {
  cores: number;
  memoryMiB: number;
  diskMiB: number;
  /** In micro-GPUs: integers, so that adding and subtracting leaves no remainder. */
  microGpus: number;
  jobs: number;
}

const microPerGpu = 1_000_000;
/** The sum of no jobs. */
export const nothing: Readonly<Sum> = Object.freeze({
  cores: 0,
  memoryMiB: 0,
  diskMiB: 0,
  microGpus: 0,
  jobs: 0,
});

/** The usage that a sum means. */
export function usageOf({ cores, memoryMiB, microGpus, jobs }: Readonly<Sum> = nothing): Usage {
  return { cores, memoryMiB, gpus: microGpus / microPerGpu, jobs };
}

/** Adds a job to the sum of a key, or subtracts it. Sums that reach zero are removed. */
export function countIn(sums: Map<string, Sum>, key: string, entry: LedgerEntry, sign: 1 | -1): void {
  let sum = sums.get(key);
  if (!sum) sums.set(key, (sum = { ...nothing }));
  addTo(sum, entry, sign);
  if (sum.jobs === 0) sums.delete(key);
}

/** Adds a job to a sum, or subtracts it. */
export function addTo(sum: Sum, { requirements, gpus = 0 }: LedgerEntry, sign: 1 | -1): void {
  sum.cores += sign * requirements.cores;
  sum.memoryMiB += sign * requirements.memoryMiB;
  sum.diskMiB += sign * requirements.diskMiB;
  sum.microGpus += sign * Math.round(gpus * microPerGpu);
  sum.jobs += sign;
}
