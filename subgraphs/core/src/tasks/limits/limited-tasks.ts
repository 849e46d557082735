import type { Logger } from '@rhizome/log';
import type { StoreNotices } from '../../shared/followed-notices.js';
import { FollowedTasks } from '../control/followed-tasks.js';
import type { TaskControlRepository } from '../control/task-control.repository.js';
import type { LimitedTask, LimitedTaskFeed } from './limited-task.types.js';

/** Dependencies of {@link LimitedTasks}. */
export interface LimitedTasksOptions {
  readonly tasks: Pick<TaskControlRepository, 'limited'>;
  readonly notices: StoreNotices;
  readonly log: Logger;
}

/** Tasks with a limit on running jobs in memory, in each process of core. */
export class LimitedTasks extends FollowedTasks<LimitedTask> implements LimitedTaskFeed {
  constructor({ tasks, notices, log }: LimitedTasksOptions) {
    const failure = 'limited tasks could not be read';
    super({ read: (ids) => tasks.limited(ids), notices, log, failure });
  }
}
