/** Source rows of NVIDIA's models. */
import type { migProfiles } from './mig-profiles.js';
import type { SourceKey } from './sources.js';

/** Exceptions from the rules in a row. */
export interface NvidiaDetails {
  /** In addition to those that follow from the name. */
  readonly families?: readonly string[];
  readonly aliases?: readonly string[];
  readonly chip?: string;
  readonly mig?: keyof typeof migProfiles;
  /** Sources of the profiles; by default the user guide and mig-parted. */
  readonly profiles?: readonly SourceKey[];
  /** Number of slices for a model that supports MIG but whose profiles are unknown. */
  readonly migSlices?: number;
  /** Maximum number of instances, if the profiles do not imply it. */
  readonly migInstances?: number;
  readonly isEccInMemory?: boolean;
  readonly reportedMiB?: readonly number[];
  /** Sources of these values; by default the source of the memory. */
  readonly reported?: readonly SourceKey[];
  readonly gpusPerCard?: number;
  readonly isDataCenter?: boolean;
  /** Source of the memory; left out if none is citable. */
  readonly memory?: SourceKey;
  /** Source of the capability if it is in neither of NVIDIA's two tables. */
  readonly capability?: SourceKey;
  readonly uncertain?: readonly string[];
  readonly legacy?: boolean;
}

/** A row; the architecture follows from the capability. */
export type NvidiaRow = readonly [
  name: string,
  capability: string,
  memoryGB: number | undefined,
  devices: readonly string[],
  details?: NvidiaDetails,
];
