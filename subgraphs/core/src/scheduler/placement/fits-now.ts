/** Checks if a job fits on a worker now, by the bookings of the ledger. Pure. */
import type { DeviceMatch } from '../../gpus/verdict/device-match.js';
import { chooseDevices } from '../../gpus/capacity/device-choice.js';
import { deviceCapacity } from '../../gpus/capacity/device-capacity.js';
import type { DeviceBooking } from '../cache/device-booking.types.js';
import type { Ledger } from '../cache/ledger.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { FleetWorker } from '../cache/fleet.types.js';

/**
 * Returns true if an eligible worker could start a job of the class now, apart from limits of its queue.
 * @param match devices of its set that serve; undefined if none are needed
 */
export function fitsNow(
  worker: FleetWorker,
  cls: RequirementClass,
  match: DeviceMatch | undefined,
  ledger: Ledger,
): boolean {
  const { facts } = worker;
  const { cores, memoryMiB, diskMiB, gpu } = cls.requirements;
  const used = ledger.workerUse(facts.id);
  return (
    facts.hardware.cores - used.cores >= cores &&
    facts.hardware.memoryMiB - used.memoryMiB >= memoryMiB &&
    facts.hardware.diskMiB - used.diskMiB >= diskMiB &&
    (gpu === undefined || match === undefined || used.jobs === 0 || hasDevicesNow(worker, gpu, match, ledger))
  );
}

function hasDevicesNow(
  { facts, devices }: FleetWorker,
  gpu: StoredGpuRequirement,
  match: DeviceMatch,
  ledger: Ledger,
): boolean {
  const unnamed = unnamedDevices(facts.id, ledger);
  const bookings = ledger.bookings(facts.id);
  if (!bookings && unnamed === 0) return true;
  const isPlain = !gpu.exclusive && !(gpu.nvlink && gpu.count > 1);
  if (isPlain && bookings && !hasExclusive(bookings)) {
    const untouched = countUntouched(match, devices.ids, bookings, gpu.count + unnamed);
    if (untouched >= gpu.count + unnamed) return true;
    // A device in use has nothing left for a job that needs all of it.
    if (gpu.share === undefined) return false;
  }
  const capacity = deviceCapacity(devices, () => true, bookings);
  return (
    chooseDevices(unnamed === 0 ? gpu : { ...gpu, count: gpu.count + unnamed }, match, capacity) !== undefined
  );
}

/** Returns true if one of its jobs blocks a whole GPU for others. */
function hasExclusive(bookings: ReadonlyMap<string, DeviceBooking>): boolean {
  for (const { isExclusive } of bookings.values()) if (isExclusive) return true;
  return false;
}

/** Number of suitable devices without bookings, counted until there are enough. */
function countUntouched(
  { positions }: DeviceMatch,
  ids: readonly string[],
  bookings: ReadonlyMap<string, DeviceBooking>,
  enough: number,
): number {
  let found = 0;
  for (const position of positions) {
    if ((bookings.get(ids[position] ?? '')?.thousandths ?? 0) > 0) continue;
    found += 1;
    if (found === enough) break;
  }
  return found;
}

/**
 * Number of devices held by jobs whose device ids are unknown, because the grant was only seen in the change
 * stream.
 */
function unnamedDevices(workerId: string, ledger: Ledger): number {
  let found = 0;
  for (const jobId of ledger.jobsOf(workerId)) {
    const entry = ledger.get(jobId);
    const gpu = entry?.requirements.gpu;
    if (gpu && !gpu.optional && entry.deviceIds.length === 0)
      found += gpu.share === undefined ? gpu.count : 0;
  }
  return found;
}
