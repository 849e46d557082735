/**
 * Free capacity of a candidate: what its request offers, limited by what the ledger leaves of its hardware.
 */
import { deviceCapacity, type DeviceCapacity } from '../../gpus/capacity/device-capacity.js';
import { meetsMinimum, type MinimumDemand } from './capacity-rules.js';
import type { FreeCapacity } from './placement.types.js';
import type { AcquireRequest } from '../scheduler.types.js';
import type { Fleet } from '../cache/fleet.js';
import type { Ledger } from '../cache/ledger.js';
import { bookingsOnHost } from '../cache/shared-devices.js';
import type { FleetWorker } from '../cache/fleet.types.js';

/** Capacity of a worker without devices. */
export const noDevices: DeviceCapacity = {
  set: { key: '', facts: [], gpus: [], kinds: [], parts: [], sizes: [] },
  free: [],
  memoryMiB: [],
};

/**
 * Returns the free capacity of a candidate.
 * @param least the demand below which a candidate is ignored: most full workers are recognised at once
 * @returns undefined if the candidate is ignored
 */
export function freeCapacity(
  { fleet, ledger }: { readonly fleet: Fleet; readonly ledger: Ledger },
  { worker, request }: { readonly worker: FleetWorker; readonly request: AcquireRequest },
  least: MinimumDemand,
): FreeCapacity | undefined {
  const { id, hardware } = worker.facts;
  if (!hasUntouched(worker.devices.ids, ledger.bookings(id), least.wholeFree)) return undefined;
  const used = ledger.workerUse(id);
  const capacity = {
    cores: Math.min(request.free.cores, hardware.cores - used.cores),
    memoryMiB: Math.min(request.free.memoryMiB, hardware.memoryMiB - used.memoryMiB),
    diskMiB: Math.min(request.free.diskMiB, hardware.diskMiB - used.diskMiB),
    devices: worker.shape.hasDevices ? devicesOf(fleet, ledger, worker, request) : noDevices,
  };
  return meetsMinimum(capacity, least) ? capacity : undefined;
}

/**
 * Returns true if at least `wanted` devices have no booking. Bookings of devices that are no longer reported
 * do not count.
 */
function hasUntouched(
  ids: readonly string[],
  bookings: ReadonlyMap<string, unknown> | undefined,
  wanted: number,
): boolean {
  if (ids.length < wanted) return false;
  if (bookings === undefined) return true;
  let found = 0;
  for (let at = 0; at < ids.length && found < wanted; at += 1) if (!bookings.has(ids[at] ?? '')) found += 1;
  return found >= wanted;
}

/** Above this number a set is faster than a scan. */
const fewDevices = 16;

function devicesOf(
  { sharedDevices }: Fleet,
  ledger: Ledger,
  { facts: { id }, devices }: FleetWorker,
  { freeDeviceIds }: AcquireRequest,
): DeviceCapacity {
  let offered: ReadonlySet<string> | undefined;
  const isOffered = (deviceId: string): boolean => {
    if (freeDeviceIds.length <= fewDevices) return freeDeviceIds.includes(deviceId);
    return (offered ??= new Set(freeDeviceIds)).has(deviceId);
  };
  return deviceCapacity(devices, isOffered, bookingsOnHost(id, { sharedDevices, ledger }, isOffered));
}
