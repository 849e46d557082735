/** Parts of a summary of failures. */
import type { JobErrorFamily } from '../../jobs/model/job.types.js';

/** Sums of a set of failures. */
export interface FailureSums {
  readonly count: number;
  readonly coreSeconds: number;
  readonly gpuSeconds: number;
}

/** Failures with equal values of the fields of the grouping; other fields are null. */
export interface ErrorGroup extends FailureSums {
  readonly experiment: string | null;
  readonly family: JobErrorFamily | null;
  readonly code: string | null;
  readonly exitCode: number | null;
  readonly taskId: string | null;
  readonly queue: string | null;
  readonly site: string | null;
  readonly host: string | null;
  readonly image: string | null;
  readonly hour: Date | null;
  /** First failure in the interval. */
  readonly firstAt: Date;
  readonly lastAt: Date;
  /** Ids of the latest jobs. */
  readonly jobs: readonly string[];
}

/** Time that attempts with one reason lost. */
export interface WasteByReason extends FailureSums {
  readonly reason: string;
}

/** All failures with one code of an experiment at a site since counting began. */
export interface ErrorTotal extends FailureSums {
  readonly experiment: string;
  readonly site: string | null;
  readonly family: JobErrorFamily;
  readonly code: string;
  readonly firstAt: Date;
  readonly lastAt: Date;
}
