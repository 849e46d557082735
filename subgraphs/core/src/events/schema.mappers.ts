/** What stands behind the types of this folder's SDL, and of the counts of jobs. */
import type { TaskMapper } from '../tasks/schema.mappers.js';
import type { TaskProgressChange } from './counts/count-stream.js';

export type { JobStateChange as JobStateChangedMapper } from './events.service.js';
export type { CountsChange as JobCountsChangedMapper } from './counts/count-stream.js';
export type TaskProgressChangedMapper = TaskProgressChange<TaskMapper>;
