/** How much of a GPU a device is: what usage and shares are charged by. */
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import type { StoredDevice } from '../workers/worker.types.js';
import { modelOf } from './catalogue/catalogue.js';

/** `[<c>c.]<g>g.<memory>gb` and what may follow. */
const profileForm = /^(?:mig[- ])?(?:(\d+)c\.)?(\d+)g\.(\d+)gb/i;
/** A device whose model is not known is taken to have as many slices as most. */
const usualSlices = 7;

/** Memory of a profile as its name says, in GB. */
export function profileMemoryGB(profile: string): number | undefined {
  const found = profileForm.exec(profile);
  return found ? Number(found[3]) : undefined;
}

/** The part of its GPU that a slice is, 0 to 1; 1 for a whole device; undefined where its profile or its model says nothing. */
export function partOf(device: Pick<StoredDevice, 'model' | 'pciId' | 'migProfile'>): number | undefined {
  if (device.migProfile === undefined) return 1;
  const found = profileForm.exec(device.migProfile);
  const row = modelOf(device);
  const whole = row?.migSlices ?? 0;
  if (!found || whole === 0) return undefined;
  // Of a slice that is divided again by compute instances, one of them counts.
  return Math.min(1, Number(found[1] ?? found[2]) / whole);
}

/** The part that a device is charged as: the best guess where nothing tells. */
export function chargedPart(device: Pick<StoredDevice, 'model' | 'pciId' | 'migProfile'>): number {
  const known = partOf(device);
  if (known !== undefined) return known;
  const slices = Number(profileForm.exec(device.migProfile ?? '')?.[2] ?? 1);
  return Math.min(1, slices / usualSlices);
}

/** Whole GPUs that the devices are together: slices are counted through the device that they are of, where it is among them. */
export function wholeGpus(devices: readonly StoredDevice[]): number {
  const ids = new Set(devices.map(({ id }) => id));
  return devices.reduce((sum, device) => {
    if (device.parentId !== undefined && ids.has(device.parentId)) return sum;
    return sum + chargedPart(device);
  }, 0);
}

/**
 * What a grant is charged as, in whole GPUs.
 * @param devices those that it has; where they are not known the requirement alone tells
 */
export function gpusOf(
  gpu: StoredGpuRequirement | undefined,
  devices: readonly (Pick<StoredDevice, 'model' | 'pciId' | 'migProfile'> | undefined)[],
): number {
  if (gpu === undefined || devices.length === 0) return 0;
  if (gpu.share !== undefined) return gpu.share / 1000;
  return devices.reduce((sum, device) => sum + (device ? chargedPart(device) : askedPart(gpu)), 0);
}

/** What one device of a requirement is at least. */
export function askedPart({ migProfile, migFraction, share }: StoredGpuRequirement): number {
  if (share !== undefined) return share / 1000;
  if (migFraction !== undefined) return migFraction / 1000;
  if (migProfile === undefined) return 1;
  return chargedPart({ model: '', migProfile });
}
