/** Parent types of the resolvers of this folder's SDL. */
import type { KeysetPage } from '@rhizome/mongo';
import type { TaskCommandEffect } from '../control/command-effect.js';
import type { AwaitedFiles, StoredTaskDataset } from '../files/task-dataset.types.js';
import type { StoredTaskCommand, TaskFacts, TaskProgressFacts } from '../task.document.js';

export type TaskMapper = TaskFacts;
export type TaskConnectionMapper = KeysetPage<TaskFacts>;
export type TaskCommandMapper = StoredTaskCommand;
export type TaskCommandEffectMapper = TaskCommandEffect;
export type TaskProgressMapper = TaskProgressFacts;
export type TaskDatasetMapper = StoredTaskDataset;
export type AwaitedFilesMapper = AwaitedFiles & {
  /** Number of other jobs that wait for their files. */
  readonly others: number;
};
