/**
 * The devices of a worker in an order that depends on their facts alone: workers with the same devices have the same shape, and a device is
 * known by its position in it.
 */
import type { StoredDevice } from '../workers/worker.types.js';
import { modelOf } from './catalogue/catalogue.js';
import { deviceFacts } from './device-verdict.js';
import { chargedPart, profileMemoryGB } from './parts.js';
import type { DeviceFacts } from './verdict.types.js';

/** The devices of all workers of one shape, by position. */
export interface DeviceShape {
  /** Equal for workers with the same devices. */
  readonly key: string;
  readonly facts: readonly DeviceFacts[];
  /** The position of the device that a slice is of, or -1. */
  readonly parents: readonly number[];
  /** Positions with the same number can stand for one another. */
  readonly kinds: readonly number[];
  /** The part of a GPU that each is. */
  readonly parts: readonly number[];
  /** A coarse size of memory: what is sold as the same has the same. */
  readonly sizes: readonly number[];
}

/** A worker's own devices in its shape. */
export interface ArrangedDevices {
  /** Ids by position. */
  readonly ids: readonly string[];
  readonly shape: DeviceShape;
}

const noDevices: ArrangedDevices = {
  ids: [],
  shape: { key: '', facts: [], parents: [], kinds: [], parts: [], sizes: [] },
};

/** Sizes step by a fifth: a device with a few MiB more is not a larger one. */
const sizeStep = 1.2;

/**
 * Arranges the devices.
 * @param known shapes by key: one that is there is used again, so that its facts are made once
 */
export function arrangeDevices(
  devices: readonly StoredDevice[],
  isSharingAllowed: boolean,
  known?: Map<string, DeviceShape>,
): ArrangedDevices {
  if (devices.length === 0) return noDevices;
  const ordered = inOrder(devices);
  const key = `${isSharingAllowed}${ordered.map(({ text, parent }) => `${parent}${text}`).join('')}`;
  let shape = known?.get(key);
  if (!shape) {
    shape = shapeOf(key, ordered, isSharingAllowed);
    known?.set(key, shape);
  }
  return { ids: ordered.map(({ device }) => device.id), shape };
}

interface Placed {
  readonly device: StoredDevice;
  /** Its facts as a text. */
  readonly text: string;
  readonly parent: number;
}

/** By facts and by what is made of them; each device is followed by its slices. */
function inOrder(devices: readonly StoredDevice[]): readonly Placed[] {
  const ids = new Set(devices.map(({ id }) => id));
  const children = new Map<string, { device: StoredDevice; text: string }[]>();
  const roots: { device: StoredDevice; text: string }[] = [];
  for (const device of devices) {
    const told = { device, text: factsText(device) };
    const parent = device.parentId;
    if (parent === undefined || !ids.has(parent)) roots.push(told);
    else children.set(parent, [...(children.get(parent) ?? []), told]);
  }
  const byText = (
    a: { text: string; device: StoredDevice },
    b: { text: string; device: StoredDevice },
  ): number => compare(a.text, b.text) || compare(a.device.id, b.device.id);
  const families = roots
    .map((root) => {
      const slices = (children.get(root.device.id) ?? []).sort(byText);
      return { root, slices, text: root.text + slices.map(({ text }) => text).join('') };
    })
    .sort((a, b) => compare(a.text, b.text) || compare(a.root.device.id, b.root.device.id));
  const found: Placed[] = [];
  for (const { root, slices } of families) {
    const parent = found.length;
    found.push({ ...root, parent: -1 });
    for (const slice of slices) found.push({ ...slice, parent });
  }
  return found;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What of a device matching may depend on. Where it is plugged in, and who told what, it does not. */
function factsText(device: StoredDevice): string {
  const { vendor, model, memoryMiB, computeCapability, driverVersion, cudaVersion, migProfile, health } =
    device;
  const { pciId, gfxTarget, rocmVersion, eccEnabled, nvlinkGroup, partitionMode, parentId } = device;
  return JSON.stringify([
    ...[vendor, model, memoryMiB, computeCapability, driverVersion, cudaVersion, migProfile, health],
    ...[pciId, gfxTarget, rocmVersion, eccEnabled, nvlinkGroup, partitionMode, parentId !== undefined],
  ]);
}

function shapeOf(key: string, ordered: readonly Placed[], isSharingAllowed: boolean): DeviceShape {
  const facts = deviceFacts(
    ordered.map(({ device }) => device),
    isSharingAllowed,
  );
  const numbers = new Map<string, number>();
  const divided = new Set(ordered.map(({ parent }) => parent));
  const kinds = ordered.map(({ text, parent }, position) => {
    const kind = `${parent} ${divided.has(position) ? position : ''} ${text}`;
    const number = numbers.get(kind) ?? numbers.size;
    numbers.set(kind, number);
    return number;
  });
  return {
    key,
    facts,
    parents: ordered.map(({ parent }) => parent),
    kinds,
    parts: facts.map((one) => chargedPart(one)),
    sizes: facts.map(sizeOf),
  };
}

function sizeOf(device: DeviceFacts): number {
  const sold =
    device.migProfile === undefined ? modelOf(device)?.memoryGB : profileMemoryGB(device.migProfile);
  const memoryMiB = device.memoryMiB === undefined || sold === undefined ? device.memoryMiB : sold * 1024;
  return memoryMiB === undefined ? 0 : Math.round(Math.log(Math.max(1, memoryMiB)) / Math.log(sizeStep));
}
