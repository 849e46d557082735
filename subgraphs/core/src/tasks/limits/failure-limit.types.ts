/** Limits of the failures of a task, as they are stored. */

/** Commands that a limit can give. */
export type FailureLimitAction = 'PAUSE' | 'FINISH' | 'ABORT';

/** Limit of the failures of a task. */
export interface StoredFailureLimit {
  /** More FAILED jobs than this give the command. */
  readonly maxFailedJobs?: number;
  /** A larger fraction of the ended jobs than this gives the command. */
  readonly maxFailedFraction?: number;
  /** Number of ended jobs below which the fraction does not count. */
  readonly minEndedJobs: number;
  readonly action: FailureLimitAction;
  /** Jobs that had ended when the command was given last; failures count from there. */
  readonly from?: EndedJobs;
}

/** Number of jobs that have ended, and of those that are FAILED. */
export interface EndedJobs {
  readonly failed: number;
  readonly ended: number;
}
