/** Rows of the catalogue. */
import type { SourceKey } from './sources.js';

/** Confidence in a row: LOW if one of its facts has no citable source. */
export type Confidence = 'HIGH' | 'LOW';

/** A MIG profile of a model. */
export interface MigProfileRow {
  /** For example `1g.10gb+me`. */
  readonly name: string;
  /** Slices of the device that one instance takes. */
  readonly slices: number;
  readonly memoryGB: number;
  /** Maximum number of instances on a device. */
  readonly maxInstances: number;
}

/** A model of GPU. */
export interface GpuModelRow {
  /** Name in the catalogue, for example `A100-SXM4-80GB`. */
  readonly name: string;
  readonly vendor: 'NVIDIA' | 'AMD' | 'INTEL';
  /** Names of the family that include all variants, for example `A100`. */
  readonly families: readonly string[];
  /** Other names of this model only. */
  readonly aliases: readonly string[];
  readonly architecture: string;
  /** For example `GA100`. */
  readonly chip?: string;
  readonly computeCapability?: string;
  readonly gfxTarget?: string;
  /** Nominal size in GB. Left out for memory shared with the host, and where it was not found. */
  readonly memoryGB?: number;
  /**
   * True if error correction, when enabled, takes a sixteenth of the memory, as with GDDR; HBM has separate
   * bits for it.
   */
  readonly isEccInMemory: boolean;
  /** Values observed in reports of tools, in MiB. */
  readonly reportedMiB: readonly number[];
  /**
   * PCI vendor and device ids, for example `10de:20b2`. If several rows share one, the name of the device
   * decides.
   */
  readonly pciIds: readonly string[];
  /** Ids of another model that some devices of this one have, too: only the name distinguishes them. */
  readonly strayPciIds: readonly string[];
  /** Devices that one card appears as: the row describes one of them. */
  readonly gpusPerCard: number;
  /** Compute units of an AMD device. */
  readonly computeUnits?: number;
  /** Dies or tiles with compute units in one device, if published. */
  readonly tiles?: number;
  /** Slices that MIG divides it into; 0 if it does not support MIG. */
  readonly migSlices: number;
  /** Maximum number of MIG instances; 0 if it does not support MIG. */
  readonly migInstances: number;
  readonly migProfiles: readonly MigProfileRow[];
  /** Other ways to divide it, for example `CPX 8`. */
  readonly partitions: readonly string[];
  /** True if forward-compatibility packages support it. */
  readonly isDataCenter: boolean;
  readonly sources: readonly SourceKey[];
  readonly confidence: Confidence;
  /** Facts without a citable source. */
  readonly uncertain: readonly string[];
}

/** A CUDA toolkit and its driver. */
export interface CudaReleaseRow {
  /** For example `12.4`. */
  readonly version: string;
  /** Number of the update, 0 for the first release. */
  readonly update: number;
  /** Lowest Linux driver with all its features. */
  readonly driver: string;
  /** Driver branches that its forward-compatibility package supports. */
  readonly forwardBranches: readonly number[];
  readonly sources: readonly SourceKey[];
  readonly confidence: Confidence;
  /** Facts without a citable source. */
  readonly uncertain: readonly string[];
}

/** Common facts of all toolkits of one major version. */
export interface CudaFamilyRow {
  readonly major: number;
  /** Lowest driver for minor-version compatibility; left out if there is none. */
  readonly minorDriver?: string;
  /** Lowest compute capability that it builds for. */
  readonly oldestCapability: string;
  readonly sources: readonly SourceKey[];
}

/** First toolkit that supports a compute capability. */
export interface CapabilityRow {
  readonly capability: string;
  readonly architecture: string;
  readonly firstCuda: string;
  /** True for an embedded chip, for which compatibility with code of other chips is not guaranteed. */
  readonly isEmbedded: boolean;
  /** Capabilities with the same value are one family: code for an `f` target runs within it. */
  readonly family: string;
  readonly sources: readonly SourceKey[];
}
