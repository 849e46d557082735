/** What is asked of rooms and buckets on the board. Pure. */
import { type DeviceFit, rankTogether } from '../../gpus/verdict/device-fit.js';
import { chooseDevices } from '../../gpus/capacity/device-choice.js';
import { roomText, wholeDevice } from '../../gpus/capacity/device-capacity.js';
import type { Asker, Room, Bucket } from './placement.types.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';

/** Who came last; where times differ, who has the least that is enough. */
export function someone({ askers, hasDeadlines }: Bucket, cls: RequirementClass): Asker | undefined {
  const isPicky = tellsApart(cls);
  if (!hasDeadlines && !isPicky) return askers[askers.length - 1];
  const wanted = cls.requirements.walltimeSeconds;
  let best: Asker | undefined;
  for (let at = askers.length - 1; at >= 0; at -= 1) {
    const asker = askers[at];
    if (!asker || asker.seconds < wanted || (best && asker.seconds >= best.seconds)) continue;
    if (isPicky && !asker.worker.fits(cls)) continue;
    if (!hasDeadlines) return asker;
    best = asker;
  }
  return best;
}

/** Whether the class may take one worker of a shape and refuse another with equal room. */
export function tellsApart({ selector }: RequirementClass): boolean {
  return selector !== undefined && selector.scope !== 'SHAPE';
}

/** The rank of the worst device that the job would get, or undefined if there are not enough. */
export function rankOf(gpu: StoredGpuRequirement, fit: DeviceFit, { devices }: Room): number | undefined {
  if (gpu.exclusive || (gpu.count > 1 && (gpu.nvlink || fit.makes))) {
    const chosen = chooseDevices(gpu, fit, devices);
    return chosen && rankTogether(fit, chosen);
  }
  let found = 0;
  for (const position of fit.positions) {
    if (devices.free[position] !== wholeDevice) continue;
    found += 1;
    if (found === gpu.count) return fit.ranks[position];
  }
  return undefined;
}

/** Hosts of which the least is free come first, so that the others stay whole. */
export function simpleCost({ wholeFree: free, room }: Bucket): number {
  return free + Math.min(0.5, room.cores / 1e5);
}

/** Whether cores, memory and disk are enough for a job of the class. */
export function hasRoom(
  room: Room,
  { requirements: { cores, memoryMiB, diskMiB } }: RequirementClass,
): boolean {
  return cores <= room.cores && memoryMiB <= room.memoryMiB && diskMiB <= room.diskMiB;
}

/** Less than this is room for nothing that is asked for. */
export interface LeastRoom {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  /** Devices of which all is free. */
  readonly wholeFree: number;
}

/** The least that any of the classes asks for, each amount by itself. */
export function leastOf(classes: readonly RequirementClass[]): LeastRoom {
  let [cores, memoryMiB, diskMiB, free] = [Infinity, Infinity, Infinity, Infinity];
  for (const { requirements } of classes) {
    cores = Math.min(cores, requirements.cores);
    memoryMiB = Math.min(memoryMiB, requirements.memoryMiB);
    diskMiB = Math.min(diskMiB, requirements.diskMiB);
    free = Math.min(free, wholeDevicesOf(requirements.gpu));
  }
  return { cores, memoryMiB, diskMiB, wholeFree: free };
}

/** Devices that a job has to have for itself. */
export function wholeDevicesOf(gpu: StoredGpuRequirement | undefined): number {
  return gpu === undefined || gpu.optional || gpu.share !== undefined ? 0 : gpu.count;
}

/** Whether there may be room for something. */
export function hasLeast(room: Room, { cores, memoryMiB, diskMiB, wholeFree: free }: LeastRoom): boolean {
  if (room.cores < cores || room.memoryMiB < memoryMiB || room.diskMiB < diskMiB) return false;
  return free === 0 || wholeFree(room) >= free;
}

/** The room without what a job of the class takes beside devices. */
export function less(room: Room, { requirements: { cores, memoryMiB, diskMiB } }: RequirementClass): Room {
  return {
    cores: room.cores - cores,
    memoryMiB: room.memoryMiB - memoryMiB,
    diskMiB: room.diskMiB - diskMiB,
    devices: room.devices,
  };
}

/** Devices of which all is free. */
export function wholeFree({ devices }: Room): number {
  let free = 0;
  for (const one of devices.free) if (one === wholeDevice) free += 1;
  return free;
}

/** A text that is equal for rooms that can stand for one another. */
export function roomKey({ cores, memoryMiB, diskMiB, devices }: Room): string {
  return `${cores} ${memoryMiB} ${diskMiB} ${roomText(devices)}`;
}

/** A number that rooms with the same amounts have in common, and others seldom. */
export function roomNumber({ cores, memoryMiB, diskMiB }: Room): number {
  return (
    (Math.imul(cores, 73_856_093) ^ Math.imul(memoryMiB, 19_349_663) ^ Math.imul(diskMiB, 83_492_791)) | 0
  );
}
