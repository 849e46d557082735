import { asUnusable, type DetectedDevice } from './detected-device.js';

/**
 * What is reported after a look: all that was found, and of what was there before and is not found now what must not be forgotten.
 *
 * - A device that a job holds stays, as one that cannot be used, until the job gives it back.
 * - A device whose place others have taken is dropped: slices after their GPU was divided anew, a GPU that is slices now, and what
 *   the bus alone showed before its tool answered.
 * - Any other stays, as one that cannot be used: it fell off the bus, or its tool says nothing of it any more.
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
  // A device whose tool failed comes back under the name of its place on the bus: it is the one that was lost.
  const known = new Set(lost.flatMap(({ pciAddress }) => pciAddress ?? []));
  const shown = found.filter((device) => !(isBare(device) && known.has(device.pciAddress ?? '')));
  return [...shown, ...lost.map((device) => asLost(device, whyLost(device, found)))];
}

/** A device that the bus shows and no tool: it has the name of its place there. */
const isBare = ({ id }: DetectedDevice): boolean => id.startsWith('PCI-');

/** What tells which GPU a device is, or is a part of: its place on the bus, the GPU that it is a slice of, the name that partitions share. */
function placesOf({ id, parentId, pciAddress }: DetectedDevice): readonly string[] {
  const gpu = parentId ?? id.replace(/\/\d+$/, '');
  return pciAddress === undefined ? [gpu] : [gpu, pciAddress];
}

function whyLost(device: DetectedDevice, found: readonly DetectedDevice[]): string {
  const places = placesOf(device);
  const there = found.filter((other) => placesOf(other).some((place) => places.includes(place)));
  const bare = there.find(isBare)?.sources.find(({ fact }) => fact === 'health');
  if (bare !== undefined) return bare.source;
  return there.length > 0 ? `its GPU was divided anew and has no ${device.id}` : 'it is not found any more';
}

/** What was measured of it last is not true of it now. */
function asLost(device: DetectedDevice, why: string): DetectedDevice {
  const { utilisation: _utilisation, memoryUsedMiB: _used, ...rest } = device;
  const sources = device.sources.filter(({ fact }) => fact !== 'utilisation' && fact !== 'memoryUsedMiB');
  return asUnusable({ ...rest, sources }, why);
}
