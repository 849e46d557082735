/** Devices as workers report them and as they are stored. */

/** Health of a device; only a HEALTHY one is used. */
export type DeviceHealth = 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN';

/** One GPU, MIG slice or AMD partition; unknown facts are left out. */
export interface DeviceDocument {
  readonly id: string;
  readonly vendor: string;
  readonly model: string;
  readonly memoryMiB?: number;
  readonly computeCapability?: string;
  readonly driverVersion?: string;
  readonly cudaVersion?: string;
  readonly migProfile?: string;
  readonly parentId?: string;
  readonly health: DeviceHealth;
  /** For example `10de:20b2`, in lower case. */
  readonly pciId?: string;
  readonly pciAddress?: string;
  readonly brand?: string;
  readonly gfxTarget?: string;
  readonly rocmVersion?: string;
  readonly eccEnabled?: boolean;
  readonly nvlinkGroup?: string;
  readonly partitionMode?: string;
  readonly sources?: readonly DeviceFactSource[];
}

/** Source of a fact about a device. */
export interface DeviceFactSource {
  readonly fact: string;
  readonly source: string;
}
