/** What stands behind the types of this folder's SDL. */
import type { KeysetPage } from '@rhizome/mongo';
import type { TaskFacts } from '../task.document.js';
import type { TaskProgressFacts } from '../tasks.service.js';

export type TaskMapper = TaskFacts;
export type TaskConnectionMapper = KeysetPage<TaskFacts>;
export type TaskProgressMapper = TaskProgressFacts;
