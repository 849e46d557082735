/** What a worker that asks has room for: what it says, but never more than the ledger leaves of what it has. */
import { deviceRoom, type DeviceRoom } from '../gpus/device-room.js';
import type { Room } from './board.types.js';
import type { AcquireRequest } from './broker.types.js';
import type { Fleet, FleetWorker } from './fleet.js';
import type { Ledger } from './ledger.js';
import { bookingsOnHost } from './neighbours.js';

const noDevices: DeviceRoom = {
  shape: { key: '', facts: [], gpus: [], kinds: [], parts: [], sizes: [] },
  free: [],
  memoryMiB: [],
};

/** See the head of this file. */
export function roomOf(
  { fleet, ledger }: { readonly fleet: Fleet; readonly ledger: Ledger },
  { worker, request }: { readonly worker: FleetWorker; readonly request: AcquireRequest },
): Room {
  const { id, hardware } = worker.facts;
  const used = ledger.workerUse(id);
  return {
    cores: Math.min(request.free.cores, hardware.cores - used.cores),
    memoryMiB: Math.min(request.free.memoryMiB, hardware.memoryMiB - used.memoryMiB),
    diskMiB: Math.min(request.free.diskMiB, hardware.diskMiB - used.diskMiB),
    devices: worker.shape.hasDevices ? devicesOf(fleet, ledger, worker, request) : noDevices,
  };
}

/** Beyond so many a set is quicker than looking through them. */
const fewDevices = 16;

function devicesOf(
  { neighbours }: Fleet,
  ledger: Ledger,
  { facts: { id }, devices }: FleetWorker,
  { freeDeviceIds }: AcquireRequest,
): DeviceRoom {
  let offered: ReadonlySet<string> | undefined;
  const isOffered = (deviceId: string): boolean => {
    if (freeDeviceIds.length <= fewDevices) return freeDeviceIds.includes(deviceId);
    return (offered ??= new Set(freeDeviceIds)).has(deviceId);
  };
  return deviceRoom(devices, isOffered, bookingsOnHost(id, { neighbours, ledger }, isOffered));
}
