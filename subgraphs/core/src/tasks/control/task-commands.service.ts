import type { CoreAction, Principal } from '@rhizome/authz';
import { InputErrors } from '@rhizome/errors';
import type { JobAccess } from '../../jobs/ports.js';
import type { TaskAction, TaskFacts } from '../task.document.js';
import { effectOn, type EffectSources, type TaskCommandEffect } from './command-effect.js';
import { refusalToChange, type TaskCommandError } from './task-access.js';
import { affectedStates, isAsCommanded, mayCommand, type TaskControl } from './task-control.js';
import type { TaskControlRepository } from './task-control.repository.js';

/** Dependencies of {@link TaskCommands}. */
export interface TaskCommandsOptions extends EffectSources {
  readonly control: Pick<TaskControl, 'command'>;
  readonly tasks: Pick<TaskControlRepository, 'find'>;
  readonly access: JobAccess;
}

/** Command as a caller gives it. */
export interface TaskCommandInput {
  readonly taskId: string;
  readonly reason?: string | null | undefined;
  /** True to change nothing and return what would change. */
  readonly isDryRun?: boolean | null | undefined;
}

/** The task and the affected jobs, or errors. */
export interface TaskCommandResult {
  readonly task: TaskFacts | null;
  readonly effect: TaskCommandEffect | null;
  readonly userErrors: readonly TaskCommandError[];
}

/** Permission that a command needs: that of the same change of all jobs. */
const permissions: Readonly<Record<TaskAction, CoreAction>> = {
  PAUSE: 'job:hold',
  RESUME: 'job:hold',
  FINISH: 'job:cancel',
  ABORT: 'job:cancel',
};

/** Reason that the message of a refused command gives. */
const conditions: Readonly<Record<TaskAction, string>> = {
  PAUSE: 'only a task that is SCOUTING, EXPANDING or RUNNING can be paused',
  RESUME: 'only a task that is PAUSED can be resumed',
  FINISH: 'only a task that is SCOUTING, EXPANDING, RUNNING or PAUSED can be finished',
  ABORT: 'only a task that has not ended can be aborted',
};

/** Commands of principals to tasks. */
export class TaskCommands {
  readonly #options: TaskCommandsOptions;

  constructor(options: TaskCommandsOptions) {
    this.#options = options;
  }

  /** Checks the caller's rights and the state of the task, and gives the command unless it is a dry run. */
  async run(
    principal: Principal,
    action: TaskAction,
    { taskId, reason, isDryRun }: TaskCommandInput,
  ): Promise<TaskCommandResult> {
    const { control, tasks } = this.#options;
    const errors = checkReason(action, reason);
    if (errors.length > 0) return refused(errors);
    const task = await tasks.find(taskId);
    const refusal = this.#refusalFor(principal, action, taskId, task);
    if (refusal || !task) return refused(refusal ? [refusal] : []);
    const effect = await effectOn(taskId, affectedStates(action), this.#options);
    if (isDryRun === true) return { task, effect, userErrors: [] };
    const outcome = await control.command(action, taskId, {
      by: principal.subject,
      reason: reason ?? undefined,
    });
    if (outcome?.isDone) return { task: outcome.task, effect, userErrors: [] };
    return refused([conflict(action, outcome?.task ?? task)]);
  }

  #refusalFor(
    principal: Principal,
    action: TaskAction,
    taskId: string,
    task: TaskFacts | null,
  ): TaskCommandError | undefined {
    const refusal = refusalToChange(principal, permissions[action], taskId, task, this.#options.access);
    if (refusal || !task) return refusal;
    return isAsCommanded(action, task) || mayCommand(action, task) ? undefined : conflict(action, task);
  }
}

function checkReason(action: TaskAction, reason: string | null | undefined): readonly TaskCommandError[] {
  const errors = new InputErrors();
  if (action === 'PAUSE') errors.lines(['reason'], reason ?? '', 1, 500);
  else if (reason != null) errors.lines(['reason'], reason, 0, 500);
  return errors.all;
}

function conflict(action: TaskAction, { _id, state }: TaskFacts): TaskCommandError {
  const message = `Task "${_id}" is ${state}: ${conditions[action]}`;
  return { code: 'TASK_STATE_CONFLICT', path: ['taskId'], message };
}

function refused(userErrors: readonly TaskCommandError[]): TaskCommandResult {
  return { task: null, effect: null, userErrors };
}
