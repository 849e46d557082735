/** Distinguishes refusals of `sbatch` from failures after which the job may be in the queue. Pure. */
import type { CommandResult } from '../run-command.js';

/** Messages of the controller about jobs that it has not accepted, and of `sbatch` about its arguments. */
const refusals = [
  /submission failed: (Invalid|Requested|Required|Job violates|More processors|Memory (required|specification))/,
  /submission failed: (User's group|Access\/permission denied|Job size|Unable to allocate|Node count)/,
  /submission failed: (Slurm temporarily unable to accept|Resource temporarily unavailable|Unspecified error)/,
  /(unrecognized|invalid|unknown) option|requires an argument|Invalid --\S+ specification|Invalid \S+ specification/i,
];

/** True if the job is certainly not in the queue. */
export function isRefusal({ exitCode, reason }: Extract<CommandResult, { kind: 'FAILED' }>): boolean {
  return exitCode === undefined || refusals.some((refusal) => refusal.test(reason));
}
