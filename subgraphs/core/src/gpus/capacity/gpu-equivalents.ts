/** Computes the part of a GPU that a device is, by which usage and shares are charged. */
import { modelOf } from '../catalogue/catalogue.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';
import type { DeviceDocument } from '../device.types.js';

/** `[<c>c.]<g>g.<memory>gb` with an optional suffix. */
const profileForm = /^(?:(?:nvidia\.com\/)?mig[- ])?(?:(\d+)c\.)?(\d+)g\.(\d+)gb/i;
/** Slices assumed for a device of unknown model, as most models have. */
const usualSlices = 7;
/** Number of partitions assumed for a partition without other facts. */
const mostParts = 8;

/** Partitions of AMD's modes for models whose partitions the catalogue does not list. */
const usualParts: ReadonlyMap<string, number> = new Map([
  ['SPX', 1],
  ['DPX', 2],
  ['TPX', 3],
  ['QPX', 4],
  ['CPX', 8],
]);

/**
 * Slice names of tools that do not report the profile separately: `A100-SXM4-40GB-MIG-1g.5gb`, `NVIDIA H100
 * NVL MIG 1g.12gb`.
 */
const profileInName = /[-_ ]mig[-_ ](\d\S*gb\S*)$/i;

/** Facts that determine which part of its GPU a device is. */
type PartFacts = Pick<DeviceDocument, 'model' | 'pciId' | 'migProfile' | 'partitionMode' | 'parentId'>;

/**
 * Returns the MIG profile of a slice, as reported or taken from its name; undefined for all other devices.
 */
export function profileOf({
  migProfile,
  model,
}: Pick<PartFacts, 'model' | 'migProfile'>): string | undefined {
  return migProfile ?? profileInName.exec(model)?.[1];
}

/**
 * Number of partitions of the device's GPU by AMD's compute mode; the memory mode does not matter. 1 for
 * whole devices and MIG slices; undefined for a partition of unknown mode.
 */
export function partitionsOf(device: PartFacts): number | undefined {
  const mode = device.partitionMode?.split('/')[0]?.toUpperCase() ?? '';
  if (profileOf(device) !== undefined) return 1;
  const row = modelOf(device)?.partitions.find((one) => one.startsWith(`${mode} `));
  const parts = row === undefined ? usualParts.get(mode) : Number(row.split(' ')[1]);
  return parts ?? (device.parentId === undefined ? 1 : undefined);
}

/** Returns true if the device is one of several partitions of its GPU. */
export function isPartition(device: PartFacts): boolean {
  return partitionsOf(device) !== 1;
}

/**
 * Memory in MiB that jobs can use on a device. Tools report the memory of the whole GPU for a partition; its
 * compute driver gives each partition an equal part, in every memory mode.
 */
export function ownMemoryMiB(device: PartFacts & Pick<DeviceDocument, 'memoryMiB'>): number | undefined {
  const { memoryMiB } = device;
  const parts = partitionsOf(device) ?? 1;
  const sold = modelOf(device)?.memoryGB;
  if (memoryMiB === undefined || parts === 1 || sold === undefined) return memoryMiB;
  // Some tools report a partition's own memory: that is used as it is.
  return memoryMiB > (sold * 1024) / parts ? Math.floor(memoryMiB / parts) : memoryMiB;
}

/** Memory of a profile in GB, as in its name. */
export function profileMemoryGB(profile: string): number | undefined {
  const found = profileForm.exec(profile);
  return found ? Number(found[3]) : undefined;
}

/**
 * Returns the part of its GPU that a slice or a partition is, 0 to 1; 1 for a whole device; undefined if
 * unknown.
 */
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
  // A slice divided again into compute instances counts as one of them.
  return Math.min(1, Number(found[1] ?? found[2]) / whole);
}

/** The part that a device is charged as: a best guess where it is unknown. */
export function chargedPart(device: PartFacts): number {
  const known = partOf(device);
  if (known !== undefined) return known;
  const profile = profileOf(device);
  if (profile === undefined) return 1 / mostParts;
  const slices = Number(profileForm.exec(profile)?.[2] ?? 1);
  return Math.min(1, slices / usualSlices);
}

/** Sum of the devices in whole GPUs; slices count as part of their device if that is in the list. */
export function wholeGpus(devices: readonly DeviceDocument[]): number {
  const ids = new Set(devices.map(({ id }) => id));
  return devices.reduce((sum, device) => {
    if (device.parentId !== undefined && ids.has(device.parentId)) return sum;
    return sum + chargedPart(device);
  }, 0);
}

/**
 * Charge for a grant in whole GPUs.
 * @param devices the granted devices; if unknown, the requirement determines the charge
 */
export function gpusOf(
  gpu: StoredGpuRequirement | undefined,
  devices: readonly (PartFacts | undefined)[],
): number {
  if (gpu === undefined || devices.length === 0) return 0;
  if (gpu.share !== undefined) return gpu.share / 1000;
  // A job with exclusive GPUs blocks all of each, whatever it uses.
  if (gpu.exclusive) return devices.length;
  return devices.reduce((sum, device) => sum + (device ? chargedPart(device) : requestedPart(gpu)), 0);
}

/** Minimum charge for a requirement in whole GPUs; optional GPUs are charged only when they are granted. */
export function requestedGpus(gpu: StoredGpuRequirement | undefined): number {
  if (gpu === undefined || gpu.optional) return 0;
  return gpu.exclusive ? gpu.count : gpu.count * requestedPart(gpu);
}

/** Minimum charge for one device of a requirement. */
export function requestedPart({ migProfile, migFraction, share }: StoredGpuRequirement): number {
  if (share !== undefined) return share / 1000;
  if (migFraction !== undefined) return migFraction / 1000;
  if (migProfile === undefined) return 1;
  return chargedPart({ model: '', migProfile });
}
