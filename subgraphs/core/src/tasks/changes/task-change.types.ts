/** Changes of the jobs of a task that have not started. */

/** Values that a change sets; absent members stay as they are. */
export interface StoredTaskValues {
  readonly priority?: number;
  readonly memoryMiB?: number;
  readonly diskMiB?: number;
  readonly walltimeSeconds?: number;
  /** Null accepts any queue. */
  readonly queue?: string | null;
  readonly maxAttempts?: number;
  /** Path of the leaf. */
  readonly share?: string;
  /** Null removes the limit. */
  readonly maxRunningJobs?: number | null;
}

/** Values that belong to the requirements of a job. */
export const changedRequirements = ['memoryMiB', 'diskMiB', 'walltimeSeconds', 'queue'] as const;

/** Name of a value. */
export type TaskValueName = keyof StoredTaskValues;

/** One changed value of the template, as text; null for none. */
export interface StoredTaskValueChange {
  readonly field: TaskValueName;
  readonly before: string | null;
  readonly after: string | null;
}

/** A change that was accepted. */
export interface StoredTaskChange {
  readonly id: string;
  /** Subject of the principal. */
  readonly by: string;
  readonly at: Date;
  readonly reason?: string;
  readonly values: readonly StoredTaskValueChange[];
  /** The following are absent until all jobs were changed. */
  readonly endedAt?: Date;
  readonly changedJobs?: number;
  readonly keptJobs?: number;
}

/** The change that is being applied to the jobs, page by page. */
export interface OpenTaskChange {
  readonly id: string;
  readonly by: string;
  readonly reason?: string;
  readonly values: StoredTaskValues;
  /** Jobs before this position may have been created with the earlier values. */
  readonly upTo: number;
  /** All jobs with ids up to this one are done; absent before the first page. */
  readonly position?: string;
  readonly changedJobs: number;
  /** Jobs whose requirements stay, because the payload of an earlier attempt may still run. */
  readonly keptJobs: number;
}

/** Maximum number of changes that a task keeps. */
export const keptTaskChanges = 50;
