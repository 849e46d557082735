/** Parts of devices that jobs hold, as the ledger knows them. */

/** The part of a device that jobs hold. */
export interface DeviceBooking {
  /** 1000 if one job holds all of it. */
  readonly thousandths: number;
  /**
   * Memory requested by shares of it, in MiB; shares without a memory request count in `unnamedThousandths`.
   */
  readonly memoryMiB: number;
  /** Thousandths of shares without a memory request. */
  readonly unnamedThousandths: number;
  /** True if its job needs the physical GPU exclusively. */
  readonly isExclusive: boolean;
}

/** The booking of a device with its jobs. */
export interface BookedDevice extends DeviceBooking {
  /** Oldest first; keys of retained bookings among them. */
  readonly jobs: readonly string[];
}

/** Nothing of the device is held. */
export const noBooking: DeviceBooking = {
  thousandths: 0,
  memoryMiB: 0,
  unnamedThousandths: 0,
  isExclusive: false,
};

/** Devices that stay booked for a job that its worker may still run, although core gave it away. */
export interface RetainedBooking {
  readonly jobId: string;
  readonly fence: number;
  readonly deviceIds: readonly string[];
  readonly share?: number;
  readonly shareMemoryMiB?: number;
  readonly exclusive?: true;
}
