/** Tasks with a limit on running jobs, as the scheduler sees them. */
import type { FollowedChange } from '../control/followed-tasks.js';

/** A task that may run only some of its jobs at a time. */
export interface LimitedTask {
  readonly id: string;
  readonly name: string;
  /** Maximum number of its jobs that workers hold. */
  readonly limit: number;
  /** Paths of the leaves that its jobs may be in. */
  readonly shares: readonly string[];
  /** Highest id that a job of the task has by its position; copies by retries have others. */
  readonly lastJobId: string;
}

/** The limited tasks that this process knows. */
export interface LimitedTaskFeed {
  /** The task, if it has a limit. */
  get(taskId: string): LimitedTask | undefined;
  /** All tasks with a limit. */
  all(): Iterable<LimitedTask>;
  /** Reads all limited tasks from the store. */
  reread(): Promise<void>;
  /** Calls the listener with changes. @returns function that removes it */
  onChange(listener: (change: FollowedChange<LimitedTask>) => void): () => void;
}

/** A feed without tasks. */
export const noLimitedTasks: LimitedTaskFeed = {
  get: () => undefined,
  all: () => [],
  reread: async () => undefined,
  onChange: () => () => undefined,
};
