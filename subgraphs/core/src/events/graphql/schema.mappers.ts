/** Types behind the SDL types of this folder, and of the counts of jobs. */
import type { TaskMapper } from '../../tasks/graphql/schema.mappers.js';
import type { QueueDocument } from '../../queues/queue.document.js';
import type { WorkerDocument } from '../../workers/worker.types.js';
import type { DocumentChange } from '../hub/document-changes.js';
import type { TaskProgressChange } from '../counts/count-stream.js';

export type { JobStateChange as JobStateChangedMapper } from '../hub/job-changes.js';
export type { JobStateEvent as JobStateEventMapper } from '../hub/job-changes.js';
export type { CountsChange as JobCountsChangedMapper } from '../counts/count-stream.js';
export type { JobCountRow as JobCountMapper } from '../counts/job-counts.js';
export type { GpuOccupancyRow as GpuOccupancyMapper } from '../counts/gpu-occupancy.js';
export type QueueChangedMapper = DocumentChange<QueueDocument>;
export type WorkerChangedMapper = DocumentChange<WorkerDocument>;
export type { LogAppended as JobLogAppendedMapper } from '../../jobs/logs/log-tails.js';
export type { JobProgressChange as JobProgressChangedMapper } from '../progress/progress-stream.js';
export type { GpuOccupancyChange as GpuOccupancyChangedMapper } from '../counts/gpu-occupancy.js';
export type TaskProgressChangedMapper = TaskProgressChange<TaskMapper>;
