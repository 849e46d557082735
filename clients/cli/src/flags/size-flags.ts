/** Flags for the size of jobs. */
import type { Command } from 'commander';
import { wholeNumber } from './flags.js';

/** Values of the flags. */
export interface SizeFlags {
  readonly cores?: number;
  /** In MiB, as `disk`. */
  readonly memory?: number;
  readonly disk?: number;
  /** In seconds. */
  readonly walltime?: number;
}

/** Largest values of the flags. */
export const largestJob = {
  cores: 4096,
  memoryMiB: 16_777_216,
  diskMiB: 1_073_741_824,
  walltimeSeconds: 34_560_000,
} as const;

/** Adds the flags. */
export function withSize(command: Command): Command {
  return command
    .option('--cores <n>', 'CPU cores', wholeNumber(1, largestJob.cores))
    .option('--memory <MiB>', 'memory', wholeNumber(1, largestJob.memoryMiB))
    .option('--disk <MiB>', 'scratch space', wholeNumber(0, largestJob.diskMiB))
    .option('--walltime <seconds>', 'longest run time', wholeNumber(1, largestJob.walltimeSeconds));
}

/** The requirements that the flags ask for. */
export function sizeOf({ cores, memory, disk, walltime }: SizeFlags) {
  return { cores, memoryMiB: memory, diskMiB: disk, walltimeSeconds: walltime };
}
