import type { Logger } from '@rhizome/log';
import type { StoreNotices } from '../../shared/followed-notices.js';
import { FollowedTasks } from './followed-tasks.js';
import type { SuspendedTask, SuspendedTaskFeed } from './suspended-task.types.js';
import type { TaskControlRepository } from './task-control.repository.js';

/** Dependencies of {@link SuspendedTasks}. */
export interface SuspendedTasksOptions {
  readonly tasks: Pick<TaskControlRepository, 'suspended'>;
  readonly notices: StoreNotices;
  readonly log: Logger;
}

/**
 * Suspended tasks in memory, in each process of core. A paused task is one document, whatever its number of
 * jobs: its jobs are left out of the matching.
 */
export class SuspendedTasks extends FollowedTasks<SuspendedTask> implements SuspendedTaskFeed {
  constructor({ tasks, notices, log }: SuspendedTasksOptions) {
    // A pause that is missed would let jobs start.
    const failure = 'suspended tasks could not be read';
    super({ read: (ids) => tasks.suspended(ids), notices, log, failure });
  }
}
