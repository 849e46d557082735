/** Flags that select jobs by their properties, for lists and for bulk commands. */
import type { Command } from 'commander';
import { collect, type Pair, pairOf } from './flags/flags.js';
import type { JobFilter } from './operations.generated.js';

/** Flags of {@link addJobFilter}. */
export interface JobFilterFlags {
  readonly task?: string;
  readonly experiment: readonly string[];
  readonly owner?: string;
  readonly queue?: string;
  readonly share?: string;
  readonly label?: Pair;
}

/** Adds the flags. `jobs` is how their help calls the selected jobs, such as `only jobs`. */
export function addJobFilter(command: Command, jobs: string): Command {
  return command
    .option('-t, --task <id>', `${jobs} of this task`)
    .option('-e, --experiment <name>', `${jobs} of this experiment; may be repeated`, collect, [])
    .option('--owner <subject>', `${jobs} of this subject`)
    .option('-q, --queue <name>', `${jobs} last assigned to this queue`)
    .option('--share <path>', `${jobs} charged to this share`)
    .option('-l, --label <key=value>', `${jobs} with this label`, pairOf);
}

/** The filter that the flags name; empty without flags. */
export function jobFilterOf(flags: JobFilterFlags): JobFilter {
  return {
    ...(flags.task ? { taskIds: [flags.task] } : {}),
    ...(flags.experiment.length > 0 ? { experiments: [...flags.experiment] } : {}),
    ...(flags.owner ? { owners: [flags.owner] } : {}),
    ...(flags.queue ? { queues: [flags.queue] } : {}),
    ...(flags.share ? { shares: [flags.share] } : {}),
    ...(flags.label ? { labels: [flags.label] } : {}),
  };
}
