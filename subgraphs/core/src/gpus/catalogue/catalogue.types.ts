/** The shapes of the catalogue. */
import type { SourceKey } from './sources.js';

/** How sure a row is: LOW where a fact of it is not found in a citable source. */
export type Confidence = 'HIGH' | 'LOW';

/** A MIG profile of a model. */
export interface MigProfileRow {
  /** As `1g.10gb+me`. */
  readonly name: string;
  /** Slices of the device that one takes. */
  readonly slices: number;
  readonly memoryGB: number;
  /** Instances of it that a device can have at once. */
  readonly maxInstances: number;
}

/** A model of GPU. */
export interface GpuModelRow {
  /** The name that the catalogue knows it by, as `A100-SXM4-80GB`. */
  readonly name: string;
  readonly vendor: 'NVIDIA' | 'AMD' | 'INTEL';
  /** Names of the family that take all its variants, as `A100`. */
  readonly families: readonly string[];
  /** Other names of this model alone. */
  readonly aliases: readonly string[];
  readonly architecture: string;
  /** As `GA100`. */
  readonly chip?: string;
  readonly computeCapability?: string;
  readonly gfxTarget?: string;
  /** Nominal, in GB as it is sold: the class size. Left out for memory that is shared with the host, and where it was not found. */
  readonly memoryGB?: number;
  /** Whether correction of errors, where it is on, takes a sixteenth of the memory: so it is with GDDR, HBM has bits of its own for it. */
  readonly isEccInMemory: boolean;
  /** Values that tools were seen to report, in MiB. */
  readonly reportedMiB: readonly number[];
  /** PCI vendor and device ids, as `10de:20b2`. One that several rows have is told apart by the name of the device. */
  readonly pciIds: readonly string[];
  /** Ids of another model that some of this one have too: only their name tells. */
  readonly strayPciIds: readonly string[];
  /** Devices that one card is seen as: the row is of one of them. */
  readonly gpusPerCard: number;
  /** Compute units of AMD's. */
  readonly computeUnits?: number;
  /** Dies or tiles with compute units that one device is made of, where it is told. */
  readonly tiles?: number;
  /** Slices that MIG divides it into; 0 where it cannot. */
  readonly migSlices: number;
  /** Instances that it can have at once; 0 where MIG cannot divide it. */
  readonly migInstances: number;
  readonly migProfiles: readonly MigProfileRow[];
  /** Other ways to divide it, as `CPX 8`. */
  readonly partitions: readonly string[];
  /** Whether forward-compatibility packages are made for it. */
  readonly isDataCenter: boolean;
  readonly sources: readonly SourceKey[];
  readonly confidence: Confidence;
  /** Facts without a citable source. */
  readonly uncertain: readonly string[];
}

/** A CUDA toolkit and the driver that goes with it. */
export interface CudaReleaseRow {
  /** As `12.4`. */
  readonly version: string;
  /** The update, 0 for the first. */
  readonly update: number;
  /** The lowest driver on Linux that has all its features. */
  readonly driver: string;
  /** Branches of the driver that its forward-compatibility package was made for. */
  readonly forwardBranches: readonly number[];
  readonly sources: readonly SourceKey[];
  readonly confidence: Confidence;
  /** Facts without a citable source. */
  readonly uncertain: readonly string[];
}

/** What is true of all toolkits of one major version. */
export interface CudaFamilyRow {
  readonly major: number;
  /** The lowest driver for minor-version compatibility; left out where there is none. */
  readonly minorDriver?: string;
  /** The lowest compute capability that it builds for. */
  readonly oldestCapability: string;
  readonly sources: readonly SourceKey[];
}

/** The first toolkit that knows a compute capability. */
export interface CapabilityRow {
  readonly capability: string;
  readonly architecture: string;
  readonly firstCuda: string;
  /** Whether it is of an embedded chip, for which code of others was never promised to run. */
  readonly isEmbedded: boolean;
  /** Capabilities with the same word are of one family: code for an `f` target runs within it. */
  readonly family: string;
  readonly sources: readonly SourceKey[];
}
