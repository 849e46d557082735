/** What workers report of their devices, as it is stored. */

/** Whether a device can be used. */
export type DeviceHealth = 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN';

/** One GPU or one MIG slice; facts that are not known are left out. */
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
  /** `10de:20b2`, in lower case. */
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

/** Where a fact about a device comes from. */
export interface DeviceFactSource {
  readonly fact: string;
  readonly source: string;
}
