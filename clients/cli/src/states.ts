/** State names that flags take; the compiler checks them against the schema. */
import { jobStates as allJobStates } from '@rhizome/client/states';
import type { JobState, QueueExecutor, QueueState, TaskState, WorkerState } from './operations.generated.js';

const wordsOf = <T extends string>(words: Readonly<Record<T, true>>): readonly T[] =>
  Object.keys(words) as T[];

/** States of jobs. */
export const jobStates: readonly JobState[] = allJobStates;
/** States of tasks. */
export const taskStates = wordsOf<TaskState>({
  EXPANDING: true,
  RUNNING: true,
  FINISHED: true,
  FAILED: true,
  CANCELLED: true,
});
/** States of queues. */
export const queueStates = wordsOf<QueueState>({
  ONLINE: true,
  TEST: true,
  BROKEROFF: true,
  PAUSED: true,
  OFFLINE: true,
});
/** Executors of queues. */
export const queueExecutors = wordsOf<QueueExecutor>({
  DIRECT: true,
  SLURM: true,
  HTCONDOR: true,
  KUBERNETES: true,
});
/** States of workers. */
export const workerStates = wordsOf<WorkerState>({ READY: true, DRAINING: true, ENDED: true, LOST: true });
