/** Whether a job fits on a worker now, by what the ledger has booked. Pure. */
import type { DeviceFit } from '../../gpus/verdict/device-fit.js';
import { chooseDevices } from '../../gpus/capacity/device-choice.js';
import { deviceCapacity } from '../../gpus/capacity/device-capacity.js';
import type { DeviceBooking, Ledger } from '../cache/ledger.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { FleetWorker } from '../cache/fleet.types.js';

/**
 * Whether a worker that fits could begin a job of the class now.
 * @param fit the devices of its shape that serve; left out where none are needed
 */
export function fitsNow(
  worker: FleetWorker,
  cls: RequirementClass,
  fit: DeviceFit | undefined,
  ledger: Ledger,
): boolean {
  const { facts, shape } = worker;
  const { cores, memoryMiB, diskMiB, gpu } = cls.requirements;
  const used = ledger.workerUse(facts.id);
  const most = shape.queue.limits.maxRunningJobs;
  return (
    facts.hardware.cores - used.cores >= cores &&
    facts.hardware.memoryMiB - used.memoryMiB >= memoryMiB &&
    facts.hardware.diskMiB - used.diskMiB >= diskMiB &&
    (most === undefined || ledger.queueJobs(shape.queue.id) < most) &&
    (gpu === undefined || fit === undefined || used.jobs === 0 || hasDevicesNow(worker, gpu, fit, ledger))
  );
}

function hasDevicesNow(
  { facts, devices }: FleetWorker,
  gpu: StoredGpuRequirement,
  fit: DeviceFit,
  ledger: Ledger,
): boolean {
  const unnamed = unnamedDevices(facts.id, ledger);
  const bookings = ledger.bookings(facts.id);
  if (!bookings && unnamed === 0) return true;
  const isPlain = !gpu.exclusive && !(gpu.nvlink && gpu.count > 1);
  if (isPlain && bookings && !hasExclusive(bookings)) {
    const untouched = countUntouched(fit, devices.ids, bookings, gpu.count + unnamed);
    if (untouched >= gpu.count + unnamed) return true;
    // A device in use has nothing left for those who want it whole.
    if (gpu.share === undefined) return false;
  }
  const capacity = deviceCapacity(devices, () => true, bookings);
  return (
    chooseDevices(unnamed === 0 ? gpu : { ...gpu, count: gpu.count + unnamed }, fit, capacity) !== undefined
  );
}

/** Whether a job of it keeps others off a whole GPU. */
function hasExclusive(bookings: ReadonlyMap<string, DeviceBooking>): boolean {
  for (const { isExclusive } of bookings.values()) if (isExclusive) return true;
  return false;
}

/** Devices that serve and of which nothing is given away, as far as it takes to find enough. */
function countUntouched(
  { positions }: DeviceFit,
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

/** Devices of a worker that jobs have without its being known which: where grants were heard of by the stream alone. */
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
