/** Flags of other requirements for what is run again. */
import { type Command, InvalidArgumentError } from 'commander';
import { CliError, exitCodes } from '../exit-codes.js';
import { wholeNumber } from './flags.js';
import type { RetryRequirementsInput } from '../operations.generated.js';
import { largestJob } from './size-flags.js';

type Amount = { readonly value: number } | { readonly factor: number };

/** Values of the flags. */
export interface RequirementChangeFlags {
  readonly cores?: number;
  readonly memory?: Amount;
  readonly disk?: number;
  readonly walltime?: Amount;
  readonly queue?: string;
  readonly anyQueue?: boolean;
}

/** Adds the flags. */
export function withRequirementChanges(command: Command): Command {
  return command
    .option('--cores <n>', 'other number of CPU cores', wholeNumber(1, largestJob.cores))
    .option(
      '--memory <MiB>',
      'other memory, or a multiple of the previous one such as 1.5x',
      amountOf(largestJob.memoryMiB),
    )
    .option('--disk <MiB>', 'other scratch space', wholeNumber(0, largestJob.diskMiB))
    .option(
      '--walltime <seconds>',
      'other longest run time, or a multiple of the previous one such as 2x',
      amountOf(largestJob.walltimeSeconds),
    )
    .option('-q, --queue <name>', 'other queue')
    .option('--any-queue', 'any queue that admits the jobs');
}

/** Changes that the flags ask for; undefined without any. @throws CliError for two answers about the queue */
export function requirementChangesOf({
  cores,
  memory,
  disk,
  walltime,
  queue,
  anyQueue,
}: RequirementChangeFlags): RetryRequirementsInput | undefined {
  if (queue !== undefined && anyQueue === true)
    throw new CliError(exitCodes.usage, 'Give --queue or --any-queue, not both');
  const requirements = {
    ...(cores !== undefined && { cores }),
    ...(memory && { memory: 'value' in memory ? { memoryMiB: memory.value } : memory }),
    ...(disk !== undefined && { diskMiB: disk }),
    ...(walltime && { walltime: 'value' in walltime ? { seconds: walltime.value } : walltime }),
    ...(queue !== undefined && { queue }),
    ...(anyQueue === true && { queue: null }),
  };
  return Object.keys(requirements).length > 0 ? requirements : undefined;
}

/** A parser of a whole number up to a maximum, or of a multiple such as `1.5x`. */
function amountOf(maximum: number): (text: string) => Amount {
  const whole = wholeNumber(1, maximum);
  return (text) => {
    const [, multiple] = /^(\d+(?:\.\d+)?)x$/.exec(text) ?? [];
    if (multiple === undefined) return { value: whole(text) };
    const factor = Number(multiple);
    if (factor > 0 && factor <= 100) return { factor };
    throw new InvalidArgumentError('A multiple must be above 0x, and at most 100x.');
  };
}
