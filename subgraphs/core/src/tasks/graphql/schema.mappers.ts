/** Parent types of the resolvers of this folder's SDL. */
import type { KeysetPage } from '@rhizome/mongo';
import type { TaskFacts, TaskProgressFacts } from '../task.document.js';

export type TaskMapper = TaskFacts;
export type TaskConnectionMapper = KeysetPage<TaskFacts>;
export type TaskProgressMapper = TaskProgressFacts;
