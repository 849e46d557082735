/** Flags that name the policy of an experiment, a queue or a task. */
import { CliError, exitCodes } from './exit-codes.js';
import type { PolicyScopeInput } from './operations.generated.js';

/** Exactly one of them is given. */
export interface ScopeFlags {
  readonly experiment?: string;
  readonly queue?: string;
  readonly task?: string;
}

/** The scope that the flags name. @throws CliError if they name none, or several */
export function scopeOf({ experiment, queue, task }: ScopeFlags): PolicyScopeInput {
  const given = [experiment, queue, task].filter((one) => one !== undefined);
  if (given.length !== 1) throw new CliError(exitCodes.usage, 'Name one of --experiment, --queue and --task');
  if (experiment !== undefined) return { experiment };
  return queue === undefined ? { taskId: task ?? '' } : { queue };
}
