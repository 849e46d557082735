/** Access of callers to tasks that they change. */
import { can, type CoreAction, type Principal } from '@rhizome/authz';
import type { InputError } from '@rhizome/errors';
import { mayChange } from '../../jobs/bulk/bulk-rules.js';
import type { JobAccess } from '../../jobs/ports.js';
import type { TaskFacts } from '../task.document.js';

/** Error because of which the task was not changed. */
export type TaskCommandError = InputError<'TASK_NOT_FOUND' | 'TASK_STATE_CONFLICT' | 'FORBIDDEN'>;

/** Reason why the caller may not see or change a task; undefined if it may. */
export function refusalToChange(
  principal: Principal,
  permission: CoreAction,
  taskId: string,
  task: TaskFacts | null,
  access: JobAccess,
): TaskCommandError | undefined {
  const path = ['taskId'];
  if (!task || !can(principal, 'task:read', task.experiment))
    return { code: 'TASK_NOT_FOUND', path, message: `Task "${taskId}" not found, or you may not see it.` };
  if (mayChange(principal, permission, { ...task, taskId }, access)) return undefined;
  const why = can(principal, permission, task.experiment)
    ? `it belongs to ${task.owner}`
    : `you may not ${permission} in ${task.experiment}`;
  return { code: 'FORBIDDEN', path, message: `You may not change task "${taskId}": ${why}` };
}
