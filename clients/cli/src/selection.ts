/** Selection of jobs for bulk commands: by id, or by the filter flags that `rhizome list` has. */
import { liveJobStates } from '@rhizome/client/states';
import type { Command } from 'commander';
import { CliError, exitCodes } from './exit-codes.js';
import { collectOneOf } from './flags/flags.js';
import { addJobFilter, type JobFilterFlags, jobFilterOf } from './job-filter.js';
import type { JobSelectionInput, JobState } from './operations.generated.js';
import { jobStates } from './states.js';

/** Flags of {@link addSelection}. */
export interface SelectionFlags extends JobFilterFlags {
  readonly state: readonly JobState[];
}

/** Adds the job ids and the filter flags to a command. */
export function addSelection(command: Command): Command {
  return addJobFilter(command.argument('[job...]', 'job ids'), 'all live jobs').option(
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
  const filter = jobFilterOf(flags);
  // A state alone would select the jobs of all owners by mistake.
  const hasFilter = Object.keys(filter).length > 0;
  if (ids.length > 0 === hasFilter)
    throw new CliError(
      exitCodes.usage,
      'Give jobs, or a filter: --task, --experiment, --owner, --queue, --share or --label',
    );
  if (!hasFilter) return { ids: [...ids] };
  return { filter: { ...filter, states: flags.state.length > 0 ? [...flags.state] : [...liveJobStates] } };
}
