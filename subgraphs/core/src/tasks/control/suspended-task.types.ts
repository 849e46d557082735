/** Tasks whose jobs no worker gets, as the scheduler sees them. */
import type { StoredTaskCommand } from '../task.document.js';
import type { FollowedChange } from './followed-tasks.js';

/** A task that is paused or being stopped. */
export interface SuspendedTask {
  readonly id: string;
  readonly name: string;
  /** Paths of the leaves that its jobs may be in: the present one, and earlier ones. */
  readonly shares: readonly string[];
  readonly isStopping: boolean;
  readonly control?: StoredTaskCommand;
  /** Highest id that a job of the task has by its position; copies by retries have others. */
  readonly lastJobId: string;
}

/** The suspended tasks that this process knows. */
export interface SuspendedTaskFeed {
  /** The task, if it is suspended. */
  get(taskId: string): SuspendedTask | undefined;
  /** Reads all suspended tasks from the store. */
  reread(): Promise<void>;
  /** Calls the listener with changes. @returns function that removes it */
  onChange(listener: (change: FollowedChange<SuspendedTask>) => void): () => void;
}

/** A feed without tasks. */
export const noSuspendedTasks: SuspendedTaskFeed = {
  get: () => undefined,
  reread: async () => undefined,
  onChange: () => () => undefined,
};
