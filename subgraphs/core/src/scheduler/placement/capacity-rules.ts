/** Rules for free capacity and buckets in a placement round. Pure. */
import { type DeviceMatch, rankTogether } from '../../gpus/verdict/device-match.js';
import { chooseDevices } from '../../gpus/capacity/device-choice.js';
import { deviceCapacityKey, wholeDevice } from '../../gpus/capacity/device-capacity.js';
import { gpusOf } from '../../gpus/capacity/gpu-equivalents.js';
import type { Candidate, FreeCapacity, Bucket, Placement } from './placement.types.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';

/**
 * The last candidate added; if remaining times differ, the one with the shortest sufficient time.
 * @param accepts returns false for candidates that the job must not go to; all are accepted without it
 */
export function pickCandidate(
  { candidates, hasDeadlines }: Bucket,
  cls: RequirementClass,
  accepts?: (candidate: Candidate) => boolean,
): Candidate | undefined {
  const isPerHost = hasPerHostSelector(cls);
  if (!hasDeadlines && !isPerHost && !accepts) return candidates[candidates.length - 1];
  const wanted = cls.requirements.walltimeSeconds;
  let best: Candidate | undefined;
  for (let at = candidates.length - 1; at >= 0; at -= 1) {
    const candidate = candidates[at];
    if (!candidate || candidate.seconds < wanted || (best && candidate.seconds >= best.seconds)) continue;
    if (isPerHost && !candidate.worker.fits(cls)) continue;
    if (accepts?.(candidate) === false) continue;
    if (!hasDeadlines) return candidate;
    best = candidate;
  }
  return best;
}

/** Returns true if the class may accept one worker of a shape and reject another with equal capacity. */
export function hasPerHostSelector({ selector }: RequirementClass): boolean {
  return selector !== undefined && selector.scope !== 'SHAPE';
}

/** Rank of the worst device that the job would get, or undefined if there are not enough. */
export function rankOf(
  gpu: StoredGpuRequirement,
  match: DeviceMatch,
  { devices }: FreeCapacity,
): number | undefined {
  if (gpu.exclusive || (gpu.count > 1 && (gpu.nvlink || match.makes))) {
    const chosen = chooseDevices(gpu, match, devices);
    return chosen && rankTogether(match, chosen);
  }
  let found = 0;
  for (const position of match.positions) {
    if (devices.free[position] !== wholeDevice) continue;
    found += 1;
    if (found === gpu.count) return match.ranks[position];
  }
  return undefined;
}

/** Cost without prices: hosts with the least free capacity come first, so that the others stay whole. */
export function simpleCost({ wholeFree: free, capacity }: Bucket): number {
  return free + Math.min(0.5, capacity.cores / 1e5);
}

/** Returns true if cores, memory and disk are sufficient for a job of the class. */
export function hasCapacity(
  capacity: FreeCapacity,
  { requirements: { cores, memoryMiB, diskMiB } }: RequirementClass,
): boolean {
  return cores <= capacity.cores && memoryMiB <= capacity.memoryMiB && diskMiB <= capacity.diskMiB;
}

/** Minimum amounts: less free capacity fits no class of the pass. */
export interface MinimumDemand {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  /** Number of completely free devices. */
  readonly wholeFree: number;
}

/** The minimum over all classes, for each amount separately. */
export function minimumDemand(classes: readonly RequirementClass[]): MinimumDemand {
  let [cores, memoryMiB, diskMiB, free] = [Infinity, Infinity, Infinity, Infinity];
  for (const { requirements } of classes) {
    cores = Math.min(cores, requirements.cores);
    memoryMiB = Math.min(memoryMiB, requirements.memoryMiB);
    diskMiB = Math.min(diskMiB, requirements.diskMiB);
    free = Math.min(free, wholeDevicesOf(requirements.gpu));
  }
  return { cores, memoryMiB, diskMiB, wholeFree: free };
}

/** Number of devices that a job needs exclusively. */
export function wholeDevicesOf(gpu: StoredGpuRequirement | undefined): number {
  return gpu === undefined || gpu.optional || gpu.share !== undefined ? 0 : gpu.count;
}

/** Returns true if any class of the pass may fit. */
export function meetsMinimum(
  capacity: FreeCapacity,
  { cores, memoryMiB, diskMiB, wholeFree: free }: MinimumDemand,
): boolean {
  if (capacity.cores < cores || capacity.memoryMiB < memoryMiB || capacity.diskMiB < diskMiB) return false;
  return free === 0 || wholeFree(capacity) >= free;
}

/** Remaining capacity after a job of the class, apart from devices. */
export function remainingCapacity(
  capacity: FreeCapacity,
  { requirements: { cores, memoryMiB, diskMiB } }: RequirementClass,
): FreeCapacity {
  return {
    cores: capacity.cores - cores,
    memoryMiB: capacity.memoryMiB - memoryMiB,
    diskMiB: capacity.diskMiB - diskMiB,
    devices: capacity.devices,
  };
}

/** Charge for the devices of a placement, in whole GPUs. */
export function chargeOf(gpu: StoredGpuRequirement | undefined, { candidate, positions }: Placement): number {
  const { facts } = candidate.worker.devices.set;
  return gpusOf(
    gpu,
    positions.map((position) => facts[position]),
  );
}

/** Number of completely free devices. */
export function wholeFree({ devices }: FreeCapacity): number {
  let free = 0;
  for (const one of devices.free) if (one === wholeDevice) free += 1;
  return free;
}

/** Returns a key that is equal for interchangeable capacities. */
export function capacityKey({ cores, memoryMiB, diskMiB, devices }: FreeCapacity): string {
  return `${cores} ${memoryMiB} ${diskMiB} ${deviceCapacityKey(devices)}`;
}

/** Hash of the amounts. */
export function capacityHash({ cores, memoryMiB, diskMiB }: FreeCapacity): number {
  return (
    (Math.imul(cores, 73_856_093) ^ Math.imul(memoryMiB, 19_349_663) ^ Math.imul(diskMiB, 83_492_791)) | 0
  );
}
