/** Selection of jobs for bulk commands: by id, or by the filter flags that `rhizome list` has. */
import { liveJobStates } from '@rhizome/client/states';
import type { Command } from 'commander';
import { CliError, exitCodes } from './exit-codes.js';
import { collect, collectOneOf, type Pair, pairOf } from './flags.js';
import type { JobSelectionInput, JobState } from './operations.generated.js';
import { jobStates } from './states.js';

/** Flags of {@link addSelection}. */
export interface SelectionFlags {
  readonly task?: string;
  readonly experiment: readonly string[];
  readonly state: readonly JobState[];
  readonly owner?: string;
  readonly queue?: string;
  readonly share?: string;
  readonly label?: Pair;
}

/** Adds the job ids and the filter flags to a command. */
export function addSelection(command: Command): Command {
  return command
    .argument('[job...]', 'job ids')
    .option('-t, --task <id>', 'all live jobs of this task')
    .option('-e, --experiment <name>', 'all live jobs of this experiment; may be repeated', collect, [])
    .option('--owner <subject>', 'all live jobs of this subject')
    .option('-q, --queue <name>', 'all live jobs last assigned to this queue')
    .option('--share <path>', 'all live jobs charged to this share')
    .option('-l, --label <key=value>', 'all live jobs with this label', pairOf)
    .option(
      '-s, --state <state>',
      'with a filter: only jobs in this state; may be repeated (default: all that have not ended)',
      collectOneOf(jobStates),
      [],
    );
}

/**
 * The selection that a command line names.
 * @throws CliError if it has neither ids nor a filter, or both
 */
export function selectionOf(ids: readonly string[], flags: SelectionFlags): JobSelectionInput {
  const filter = {
    ...(flags.task ? { taskIds: [flags.task] } : {}),
    ...(flags.experiment.length > 0 ? { experiments: [...flags.experiment] } : {}),
    ...(flags.owner ? { owners: [flags.owner] } : {}),
    ...(flags.queue ? { queues: [flags.queue] } : {}),
    ...(flags.share ? { shares: [flags.share] } : {}),
    ...(flags.label ? { labels: [flags.label] } : {}),
  };
  // A state alone would select the jobs of everybody by a slip of the hand.
  const hasFilter = Object.keys(filter).length > 0;
  if (ids.length > 0 === hasFilter)
    throw new CliError(
      exitCodes.usage,
      'Give jobs, or a filter: --task, --experiment, --owner, --queue, --share or --label',
    );
  if (!hasFilter) return { ids: [...ids] };
  return { filter: { ...filter, states: flags.state.length > 0 ? [...flags.state] : [...liveJobStates] } };
}
