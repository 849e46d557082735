/**
 * The devices of a worker in an order that depends only on their facts. Workers with the same devices have
 * the same set, and the position in it identifies a device.
 */
import { modelOf } from '../catalogue/catalogue.js';
import { deviceFacts } from '../verdict/device-verdict.js';
import { chargedPart, partitionsOf, profileMemoryGB, profileOf } from './gpu-equivalents.js';
import type { Device } from '../verdict/verdict.types.js';
import type { DeviceDocument } from '../device.types.js';

/** The devices of all workers with the same ones, by position. */
export interface DeviceSet {
  /** Equal for workers with the same devices. */
  readonly key: string;
  readonly facts: readonly Device[];
  /** Number of the physical GPU that each device is, or is a slice of. */
  readonly gpus: readonly number[];
  /** Devices with the same number are interchangeable. */
  readonly kinds: readonly number[];
  /** The part of a GPU that each device is. */
  readonly parts: readonly number[];
  /** Coarse memory size: equal for devices of the same nominal size. */
  readonly sizes: readonly number[];
}

/** A worker's own devices in their set. */
export interface DeviceLayout {
  /** Ids by position. */
  readonly ids: readonly string[];
  readonly set: DeviceSet;
}

const noDevices: DeviceLayout = {
  ids: [],
  set: { key: '', facts: [], gpus: [], kinds: [], parts: [], sizes: [] },
};

/** Ratio between memory sizes, so that a device with a few MiB more is not larger. */
const sizeStep = 1.2;

/**
 * Arranges the devices.
 * @param known sets by key, reused so that facts are computed once per set
 */
export function arrangeDevices(
  devices: readonly DeviceDocument[],
  isSharingAllowed: boolean,
  known?: Map<string, DeviceSet>,
): DeviceLayout {
  if (devices.length === 0) return noDevices;
  const ordered = inOrder(devices);
  const key = `${isSharingAllowed}${ordered.map(({ text, gpu }) => `${gpu}${text}`).join('')}`;
  let set = known?.get(key);
  if (!set) {
    set = deviceSetOf(key, ordered, isSharingAllowed);
    known?.set(key, set);
  }
  return { ids: ordered.map(({ device }) => device.id), set: set };
}

/** Returns true if two workers have the same devices with the same facts and ids. */
export function hasSameDevices(a: DeviceLayout, b: DeviceLayout): boolean {
  if (a === b) return true;
  return a.set.key === b.set.key && a.ids.every((id, position) => b.ids[position] === id);
}

interface DescribedDevice {
  readonly device: DeviceDocument;
  /** Facts as a comparable text. */
  readonly text: string;
}

interface OrderedDevice extends DescribedDevice {
  /**
   * Position of the first device of the same GPU: the GPU itself, or its first slice if only slices are
   * reported.
   */
  readonly gpu: number;
}

/**
 * Sorts by facts and by those of the slices; the slices of a GPU follow it, or stand together if it is not
 * reported.
 */
function inOrder(devices: readonly DeviceDocument[]): readonly OrderedDevice[] {
  const byText = (a: DescribedDevice, b: DescribedDevice): number =>
    compare(a.text, b.text) || compare(a.device.id, b.device.id);
  const gpus = new Map<string, { whole?: DescribedDevice; readonly slices: DescribedDevice[] }>();
  for (const device of devices) {
    const described = { device, text: factsText(device) };
    const id = device.parentId ?? device.id;
    const known = gpus.get(id) ?? { slices: [] };
    gpus.set(id, known);
    if (device.parentId === undefined) known.whole = described;
    else known.slices.push(described);
  }
  const families = [...gpus]
    .map(([id, { whole, slices }]) => {
      const all = [...(whole ? [whole] : []), ...slices.sort(byText)];
      return { id, all, text: all.map(({ text }) => text).join('') };
    })
    .sort((a, b) => compare(a.text, b.text) || compare(a.id, b.id));
  const found: OrderedDevice[] = [];
  for (const { all } of families) {
    const gpu = found.length;
    for (const described of all) found.push({ ...described, gpu });
  }
  return found;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Facts that matching may depend on: not the slot of the device, nor the source of each fact. */
function factsText(device: DeviceDocument): string {
  const { vendor, model, memoryMiB, computeCapability, driverVersion, cudaVersion, migProfile, health } =
    device;
  const { pciId, gfxTarget, rocmVersion, eccEnabled, nvlinkGroup, partitionMode, parentId } = device;
  return JSON.stringify([
    ...[vendor, model, memoryMiB, computeCapability, driverVersion, cudaVersion, migProfile, health],
    ...[pciId, gfxTarget, rocmVersion, eccEnabled, nvlinkGroup, partitionMode, parentId !== undefined],
  ]);
}

function deviceSetOf(key: string, ordered: readonly OrderedDevice[], isSharingAllowed: boolean): DeviceSet {
  const facts = deviceFacts(
    ordered.map(({ device }) => device),
    isSharingAllowed,
  );
  const numbers = new Map<string, number>();
  // Whole GPUs are interchangeable; slices only with those of the same GPU.
  const sizes = new Map<number, number>();
  for (const { gpu } of ordered) sizes.set(gpu, (sizes.get(gpu) ?? 0) + 1);
  const kinds = ordered.map(({ device, text, gpu }) => {
    const isPart = device.parentId !== undefined || (sizes.get(gpu) ?? 1) > 1;
    const kind = `${isPart ? gpu : ''} ${text}`;
    const number = numbers.get(kind) ?? numbers.size;
    numbers.set(kind, number);
    return number;
  });
  return {
    key,
    facts,
    gpus: ordered.map(({ gpu }) => gpu),
    kinds,
    parts: facts.map((one) => chargedPart(one)),
    sizes: facts.map(sizeOf),
  };
}

function sizeOf(device: Device): number {
  const whole = modelOf(device)?.memoryGB;
  const own = whole === undefined ? undefined : whole / (partitionsOf(device) ?? 1);
  const profile = profileOf(device);
  const sold = profile === undefined ? own : profileMemoryGB(profile);
  const memoryMiB = device.memoryMiB === undefined || sold === undefined ? device.memoryMiB : sold * 1024;
  return memoryMiB === undefined ? 0 : Math.round(Math.log(Math.max(1, memoryMiB)) / Math.log(sizeStep));
}
