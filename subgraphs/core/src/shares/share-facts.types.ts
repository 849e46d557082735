/** Views of shares for other domains. */

/** Properties of a leaf of the share tree that the scheduler needs. */
export interface ShareFacts {
  /** `experiment/leaf`. */
  readonly path: string;
  readonly nominalCores: number;
  /** Absent means no limit. */
  readonly borrowLimitCores?: number;
  /** Absent means the same fraction of all GPUs as of all cores. */
  readonly nominalGpus?: number;
  /** Absent means no limit. */
  readonly borrowLimitGpus?: number;
  readonly weight: number;
  readonly ownerLimitCores?: number;
}
