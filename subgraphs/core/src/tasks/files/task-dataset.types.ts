/** Datasets whose files the jobs of a task process. */

/** Ways to divide the files of a dataset into jobs. */
export const datasetSplits = ['FILES', 'EVENTS', 'BYTES', 'KEY'] as const;

/** One of {@link datasetSplits}. */
export type DatasetSplit = (typeof datasetSplits)[number];

/** Dataset as the caller states it. */
export interface TaskDatasetSpec {
  readonly datasetId: string;
  readonly by?: DatasetSplit | null | undefined;
  /** Files, events or bytes of a job; absent with KEY. */
  readonly perJob?: number | null | undefined;
  readonly maxJobs?: number | null | undefined;
  /** Weight of the preference for queues near the files; 0 for none. */
  readonly localityWeight?: number | null | undefined;
}

/** Files of one job: those of the dataset from one position to another, both included. */
export interface FileRange {
  readonly from: number;
  readonly to: number;
  /** Number of files. */
  readonly files: number;
  /** Only files with this key. */
  readonly key?: string;
}

/** A job that cannot be created yet. */
export interface AwaitedFiles {
  /** Position of the job. */
  readonly index: number;
  /** Number of its files, and of those without an available copy. */
  readonly files: number;
  readonly unavailable: number;
}

/** Stored dataset of a task. */
export interface StoredTaskDataset {
  readonly datasetId: string;
  readonly by: DatasetSplit;
  readonly perJob?: number;
  /** Number of files that the jobs process together. */
  readonly files: number;
  /** Weight of the preference for queues near the files; absent for none. */
  readonly localityWeight?: number;
  /** Position up to which all jobs exist apart from {@link gaps}; absent if no job was passed over. */
  readonly ahead?: number;
  /** Jobs before {@link ahead} that wait for their files, in order; absent for none. */
  readonly gaps?: readonly AwaitedFiles[];
  /** The first job that waits; absent if nothing is waited for. */
  readonly awaited?: AwaitedFiles & {
    /** Time at which the files are checked next. */
    readonly nextAt: Date;
  };
}
