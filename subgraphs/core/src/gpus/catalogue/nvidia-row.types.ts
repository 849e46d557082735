/** The shape of what is told of a model of NVIDIA. */
import type { migProfiles } from './mig-profiles.js';
import type { SourceKey } from './sources.js';

/** What of a row is not the rule. */
export interface NvidiaDetails {
  /** Beside those that follow from the name. */
  readonly families?: readonly string[];
  readonly aliases?: readonly string[];
  readonly chip?: string;
  readonly mig?: keyof typeof migProfiles;
  /** Where the profiles are from; left out: from the user guide and from mig-parted. */
  readonly profiles?: readonly SourceKey[];
  /** Slices where MIG is known and its profiles are not. */
  readonly migSlices?: number;
  /** Instances at once, where the profiles do not tell it. */
  readonly migInstances?: number;
  readonly isEccInMemory?: boolean;
  readonly reportedMiB?: readonly number[];
  /** Where these are from; left out: from where the memory is. */
  readonly reported?: readonly SourceKey[];
  readonly gpusPerCard?: number;
  readonly isDataCenter?: boolean;
  /** Where the memory is from; left out: nowhere citable. */
  readonly memory?: SourceKey;
  /** Where the capability is from, where it is in none of NVIDIA's two tables. */
  readonly capability?: SourceKey;
  readonly uncertain?: readonly string[];
  readonly legacy?: boolean;
}

/** A row: the architecture follows from the capability. */
export type NvidiaRow = readonly [
  name: string,
  capability: string,
  memoryGB: number | undefined,
  devices: readonly string[],
  details?: NvidiaDetails,
];
