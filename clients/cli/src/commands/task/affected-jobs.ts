import type { CliTaskEffectFragment } from '../../operations.generated.js';
import { type Output, printLine } from '../../output.js';

/** Prints the first of the jobs that a command would affect. */
export function printJobs(output: Output, { jobCount, jobs: first }: CliTaskEffectFragment): void {
  for (const { id } of first) printLine(output, `  ${id}`);
  if (jobCount > first.length) printLine(output, `  … and ${jobCount - first.length} more`);
}
