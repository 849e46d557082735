/** What other domains know of shares. */

/** What the scheduler needs to know of a leaf of the share tree. */
export interface ShareFacts {
  /** `experiment/leaf`. */
  readonly path: string;
  readonly nominalCores: number;
  /** Left out: without limit. */
  readonly borrowLimitCores?: number;
  /** Left out: the same part of all GPUs as of all cores. */
  readonly nominalGpus?: number;
  /** Left out: without limit. */
  readonly borrowLimitGpus?: number;
  readonly weight: number;
  readonly ownerLimitCores?: number;
}
