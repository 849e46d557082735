/** How much of a GPU a device is: what usage and shares are charged by. */
import { modelOf } from '../catalogue/catalogue.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';
import type { DeviceDocument } from '../device.types.js';

/** `[<c>c.]<g>g.<memory>gb` and what may follow. */
const profileForm = /^(?:(?:nvidia\.com\/)?mig[- ])?(?:(\d+)c\.)?(\d+)g\.(\d+)gb/i;
/** A device whose model is not known is taken to have as many slices as most. */
const usualSlices = 7;
/** A partition of which nothing else is known is taken to be one of so many. */
const mostParts = 8;

/** Parts that AMD's modes make, where the catalogue does not tell them for the model. */
const usualParts: ReadonlyMap<string, number> = new Map([
  ['SPX', 1],
  ['DPX', 2],
  ['TPX', 3],
  ['QPX', 4],
  ['CPX', 8],
]);

/** As tools that do not tell the profile by itself name a slice: `A100-SXM4-40GB-MIG-1g.5gb`, `NVIDIA H100 NVL MIG 1g.12gb`. */
const profileInName = /[-_ ]mig[-_ ](\d\S*gb\S*)$/i;

/** What tells which part of its GPU a device is. */
type PartFacts = Pick<DeviceDocument, 'model' | 'pciId' | 'migProfile' | 'partitionMode' | 'parentId'>;

/** The MIG profile of a slice, as it is reported or as its name has it; undefined for all other devices. */
export function profileOf({
  migProfile,
  model,
}: Pick<PartFacts, 'model' | 'migProfile'>): string | undefined {
  return migProfile ?? profileInName.exec(model)?.[1];
}

/**
 * The number of parts that the mode of a device makes of its GPU, by AMD's compute mode alone: how its memory is divided changes nothing.
 * 1 for whole devices and MIG slices; undefined for a part whose mode is not known.
 */
export function partitionsOf(device: PartFacts): number | undefined {
  const mode = device.partitionMode?.split('/')[0]?.toUpperCase() ?? '';
  if (profileOf(device) !== undefined) return 1;
  const row = modelOf(device)?.partitions.find((one) => one.startsWith(`${mode} `));
  const parts = row === undefined ? usualParts.get(mode) : Number(row.split(' ')[1]);
  return parts ?? (device.parentId === undefined ? 1 : undefined);
}

/** Whether it is one of several partitions of its GPU. */
export function isPartition(device: PartFacts): boolean {
  return partitionsOf(device) !== 1;
}

/**
 * Memory that jobs can have of a device. The tools tell the memory of the whole GPU with a partition; its compute driver gives each an equal
 * part of it, in every memory mode.
 */
export function ownMemoryMiB(device: PartFacts & Pick<DeviceDocument, 'memoryMiB'>): number | undefined {
  const { memoryMiB } = device;
  const parts = partitionsOf(device) ?? 1;
  const sold = modelOf(device)?.memoryGB;
  if (memoryMiB === undefined || parts === 1 || sold === undefined) return memoryMiB;
  // A tool that tells a part's own memory is believed.
  return memoryMiB > (sold * 1024) / parts ? Math.floor(memoryMiB / parts) : memoryMiB;
}

/** Memory of a profile as its name says, in GB. */
export function profileMemoryGB(profile: string): number | undefined {
  const found = profileForm.exec(profile);
  return found ? Number(found[3]) : undefined;
}

/** The part of its GPU that a slice or a partition is, 0 to 1; 1 for a whole device; undefined where nothing tells. */
export function partOf(device: PartFacts): number | undefined {
  const profile = profileOf(device);
  if (profile === undefined) {
    const parts = partitionsOf(device);
    return parts && 1 / parts;
  }
  const found = profileForm.exec(profile);
  const row = modelOf(device);
  const whole = row?.migSlices ?? 0;
  if (!found || whole === 0) return undefined;
  // Of a slice that is divided again by compute instances, one of them counts.
  return Math.min(1, Number(found[1] ?? found[2]) / whole);
}

/** The part that a device is charged as: the best guess where nothing tells. */
export function chargedPart(device: PartFacts): number {
  const known = partOf(device);
  if (known !== undefined) return known;
  const profile = profileOf(device);
  if (profile === undefined) return 1 / mostParts;
  const slices = Number(profileForm.exec(profile)?.[2] ?? 1);
  return Math.min(1, slices / usualSlices);
}

/** Whole GPUs that the devices are together: slices are counted through the device that they are of, where it is among them. */
export function wholeGpus(devices: readonly DeviceDocument[]): number {
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
  devices: readonly (PartFacts | undefined)[],
): number {
  if (gpu === undefined || devices.length === 0) return 0;
  if (gpu.share !== undefined) return gpu.share / 1000;
  // Who has GPUs for itself keeps all of each, whatever it uses.
  if (gpu.exclusive) return devices.length;
  return devices.reduce((sum, device) => sum + (device ? chargedPart(device) : requestedPart(gpu)), 0);
}

/** What a requirement is charged as at least, in whole GPUs; those that are optional are charged once they are given. */
export function requestedGpus(gpu: StoredGpuRequirement | undefined): number {
  if (gpu === undefined || gpu.optional) return 0;
  return gpu.exclusive ? gpu.count : gpu.count * requestedPart(gpu);
}

/** What one device of a requirement is at least. */
export function requestedPart({ migProfile, migFraction, share }: StoredGpuRequirement): number {
  if (share !== undefined) return share / 1000;
  if (migFraction !== undefined) return migFraction / 1000;
  if (migProfile === undefined) return 1;
  return chargedPart({ model: '', migProfile });
}
