import { asUnusable, type DetectedDevice } from './detected-device.js';

/**
 * The devices to report after a probe: all that were found, and those from before that must not be forgotten.
 *
 * - A device that a job holds stays, as unhealthy, until the job releases it.
 * - A device that others have replaced is dropped: slices after their GPU was divided differently, a GPU that
 *   is divided now, and a device that only the bus showed before its tool answered.
 * - Any other stays, as unhealthy: it fell off the bus, or its tool no longer lists it.
 */
export function withLost(
  before: readonly DetectedDevice[],
  found: readonly DetectedDevice[],
  isHeld: (id: string) => boolean,
): readonly DetectedDevice[] {
  const ids = new Set(found.map(({ id }) => id));
  const taken = new Set(found.filter((device) => !isBare(device)).flatMap(placesOf));
  const lost = before.filter(
    (device) =>
      !ids.has(device.id) && (isHeld(device.id) || !placesOf(device).some((place) => taken.has(place))),
  );
  // A device whose tool failed comes back with its bus address as its id: it is the one that was lost.
  const known = new Set(lost.flatMap(({ pciAddress }) => pciAddress ?? []));
  const shown = found.filter((device) => !(isBare(device) && known.has(device.pciAddress ?? '')));
  return [...shown, ...lost.map((device) => asLost(device, whyLost(device, found)))];
}

/** True for a device that only the bus shows: its id is its address. */
const isBare = ({ id }: DetectedDevice): boolean => id.startsWith('PCI-');

/**
 * Keys that identify the GPU that a device is, or is part of: its bus address, the GPU of a slice, the id
 * that partitions share.
 */
function placesOf({ id, parentId, pciAddress }: DetectedDevice): readonly string[] {
  const gpu = parentId ?? id.replace(/\/\d+$/, '');
  return pciAddress === undefined ? [gpu] : [gpu, pciAddress];
}

function whyLost(device: DetectedDevice, found: readonly DetectedDevice[]): string {
  const places = placesOf(device);
  const there = found.filter((other) => placesOf(other).some((place) => places.includes(place)));
  const bare = there.find(isBare)?.sources.find(({ fact }) => fact === 'health');
  if (bare !== undefined) return bare.source;
  return there.length > 0
    ? `its GPU was divided differently and has no ${device.id}`
    : 'it is no longer found';
}

/** The device as lost, without measurements that are no longer true. */
function asLost(device: DetectedDevice, why: string): DetectedDevice {
  const { utilisation: _utilisation, memoryUsedMiB: _used, ...rest } = device;
  const sources = device.sources.filter(({ fact }) => fact !== 'utilisation' && fact !== 'memoryUsedMiB');
  return asUnusable({ ...rest, sources }, why);
}
