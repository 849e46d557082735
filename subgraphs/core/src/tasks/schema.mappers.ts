/** What stands behind the types of this folder's SDL. */
import type { TaskDocument } from './task.document.js';
import type { TaskProgressFacts } from './tasks.service.js';

export type TaskMapper = TaskDocument;
export type TaskProgressMapper = TaskProgressFacts;
