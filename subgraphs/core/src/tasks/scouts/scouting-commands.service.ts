import type { Principal } from '@rhizome/authz';
import { InputErrors } from '@rhizome/errors';
import type { JobAccess } from '../../jobs/ports.js';
import { type TaskCommandError, refusalToChange } from '../control/task-access.js';
import type { TaskFacts } from '../task.document.js';
import { checkOverrides, type ScoutOverrides } from './scout-input.js';
import type { Scouting } from './scouting.js';
import type { ScoutedTask, ScoutsRepository } from './scouts.repository.js';
import type { StoredScoutResult } from './scouts.types.js';

/** Dependencies of {@link ScoutingCommands}. */
export interface ScoutingCommandsOptions {
  readonly scouting: Pick<Scouting, 'plan' | 'end'>;
  readonly scouts: Pick<ScoutsRepository, 'find'>;
  readonly access: JobAccess;
}

/** End of scouting as a caller gives it. */
export interface EndScoutingInput {
  readonly taskId: string;
  readonly reason?: string | null | undefined;
  /** Amounts that replace those that follow from the use. */
  readonly requirements?: ScoutOverrides | null | undefined;
  /** True to change nothing and return what would change. */
  readonly isDryRun?: boolean | null | undefined;
}

/** The task, and the requirements of its other jobs; or errors. */
export interface EndScoutingResult {
  readonly task: TaskFacts | null;
  readonly result: StoredScoutResult | null;
  /** Number of jobs that are created with these requirements. */
  readonly jobCount: number | null;
  readonly userErrors: readonly TaskCommandError[];
}

/** Ends of scouting by principals. */
export class ScoutingCommands {
  readonly #options: ScoutingCommandsOptions;

  constructor(options: ScoutingCommandsOptions) {
    this.#options = options;
  }

  /** Creates the other jobs of a task before its scouts have ended, with what these have used so far. */
  async end(
    principal: Principal,
    { taskId, reason, requirements, isDryRun }: EndScoutingInput,
  ): Promise<EndScoutingResult> {
    const { scouting, scouts, access } = this.#options;
    const errors = new InputErrors();
    if (reason != null) errors.lines(['reason'], reason, 0, 500);
    checkOverrides(requirements ?? {}, errors, ['requirements']);
    if (!errors.isEmpty) return refused(errors.all);
    const task = await scouts.find(taskId);
    const refusal = refusalToChange(principal, 'job:hold', taskId, task, access);
    if (refusal || !task) return refused(refusal ? [refusal] : []);
    if (task.createUpTo === undefined) return refused([notScouting(task)]);
    const early = { by: principal.subject, reason: reason ?? undefined, overrides: requirements ?? {} };
    const plan = await scouting.plan(task, early);
    const answer = { result: plan.result, jobCount: task.totalJobs - task.createdJobs, userErrors: [] };
    if (isDryRun === true) return { ...answer, task: visible(task) };
    const ended = await scouting.end(plan);
    return ended ? { ...answer, task: ended } : refused([notScouting(task)]);
  }
}

function visible({ template: _template, variants: _variants, ...task }: ScoutedTask): TaskFacts {
  return task;
}

function notScouting({ _id }: Pick<TaskFacts, '_id'>): TaskCommandError {
  const message = `Task "${_id}" has no scouts that have not ended`;
  return { code: 'TASK_STATE_CONFLICT', path: ['taskId'], message };
}

function refused(userErrors: readonly TaskCommandError[]): EndScoutingResult {
  return { task: null, result: null, jobCount: null, userErrors };
}
