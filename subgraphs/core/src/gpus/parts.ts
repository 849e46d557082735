/** How much of a GPU a device is. */
import type { StoredDevice } from '../workers/worker.types.js';

/** Whole GPUs that the devices are together. */
export function wholeGpus(devices: readonly StoredDevice[]): number {
  return devices.filter(({ parentId }) => parentId === undefined).length;
}
