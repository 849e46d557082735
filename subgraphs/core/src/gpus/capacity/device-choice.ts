/** Chooses the devices that a job gets from the free devices of a worker. */
import { type DeviceFit, rankTogether } from '../verdict/device-fit.js';
import {
  wholeDevice,
  type DeviceCapacity,
  idleBad,
  shareMemory,
  isSlice,
  siblings,
} from './device-capacity.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';

/** Returns the positions of the devices for the job, or undefined if there are not enough. */
export function chooseDevices(
  gpu: StoredGpuRequirement,
  fit: DeviceFit,
  capacity: DeviceCapacity,
): readonly number[] | undefined {
  if (gpu.share !== undefined) return tightest(shareCandidates(gpu, fit, capacity), fit, capacity);
  const free = fit.positions.filter((position) => isFreeFor(gpu, capacity, position));
  if (free.length < gpu.count) return undefined;
  if (gpu.nvlink && gpu.count > 1) return connected(gpu, free, fit, capacity);
  return pick(gpu, free, fit, capacity);
}

/**
 * All distinct choices, the best first. A share has one for each kind of device and free capacity; other
 * requirements have one choice.
 */
export function deviceChoices(
  gpu: StoredGpuRequirement,
  fit: DeviceFit,
  capacity: DeviceCapacity,
): readonly (readonly number[])[] {
  if (gpu.share === undefined) {
    const chosen = chooseDevices(gpu, fit, capacity);
    return chosen ? [chosen] : [];
  }
  const seen = new Set<number>();
  const found: (readonly number[])[] = [];
  for (const position of shareCandidates(gpu, fit, capacity)) {
    const alike = (fit.shape.kinds[position] ?? 0) * 1024 + (capacity.free[position] ?? 0);
    if (seen.has(alike)) continue;
    seen.add(alike);
    found.push([position]);
  }
  return found.sort(([a = 0], [b = 0]) => tightness(fit, capacity, a) - tightness(fit, capacity, b));
}

function shareCandidates(
  gpu: StoredGpuRequirement,
  fit: DeviceFit,
  capacity: DeviceCapacity,
): readonly number[] {
  const wanted = gpu.share ?? 0;
  return fit.positions.filter(
    (position) =>
      (capacity.free[position] ?? 0) >= wanted &&
      // Parts of memory are fractions: less than a thousandth of a MiB does not count.
      (capacity.memoryMiB[position] ?? 0) + 1e-3 >= shareMemory(gpu, capacity, position),
  );
}

/** Rank of a device, smaller is better: by verdict and size, then by the least free capacity. */
function tightness(fit: DeviceFit, capacity: DeviceCapacity, position: number): number {
  return (fit.ranks[position] ?? 0) * 1024 + (capacity.free[position] ?? 0);
}

function tightest(
  candidates: readonly number[],
  fit: DeviceFit,
  capacity: DeviceCapacity,
): readonly number[] | undefined {
  let best: number | undefined;
  for (const position of candidates)
    if (best === undefined || tightness(fit, capacity, position) < tightness(fit, capacity, best))
      best = position;
  return best === undefined ? undefined : [best];
}

function isFreeFor(gpu: StoredGpuRequirement, capacity: DeviceCapacity, position: number): boolean {
  if (capacity.free[position] !== wholeDevice) return false;
  if (!gpu.exclusive) return true;
  return siblings(capacity.shape, position).every((other) => {
    const free = capacity.free[other];
    return free === wholeDevice || free === idleBad;
  });
}

/**
 * Chooses from the smallest connected group that is sufficient: a large one is kept for jobs that need it.
 */
function connected(
  gpu: StoredGpuRequirement,
  free: readonly number[],
  fit: DeviceFit,
  capacity: DeviceCapacity,
): readonly number[] | undefined {
  const sets = new Map<string, number[]>();
  for (const position of free) {
    const group = fit.shape.facts[position]?.nvlinkGroup ?? '';
    sets.set(group, [...(sets.get(group) ?? []), position]);
  }
  const bySize = [...sets.values()].sort((a, b) => a.length - b.length);
  return best(
    fit,
    bySize.map((set) => pick(gpu, set, fit, capacity)),
  );
}

/** Returns the first of the sets that fit together best. */
function best(
  fit: DeviceFit,
  choices: readonly (readonly number[] | undefined)[],
): readonly number[] | undefined {
  const found = choices.filter((chosen) => chosen !== undefined);
  return found.sort((a, b) => rankTogether(fit, a) - rankTogether(fit, b))[0];
}

/**
 * Prefers devices of one make where enough of them have the best verdict: a job that names no model expects
 * equal devices.
 */
function pick(
  gpu: StoredGpuRequirement,
  free: readonly number[],
  fit: DeviceFit,
  capacity: DeviceCapacity,
): readonly number[] | undefined {
  const { makes } = fit;
  const any = pickAny(gpu, free, fit, capacity);
  if (!any || !makes || any.every((position) => makes[position] === makes[any[0] ?? 0])) return any;
  const byMake = new Map<number | undefined, number[]>();
  for (const position of free)
    byMake.set(makes[position], [...(byMake.get(makes[position]) ?? []), position]);
  return best(fit, [any, ...[...byMake.values()].map((alike) => pickAny(gpu, alike, fit, capacity))]);
}

/**
 * Returns the first free devices; slices come from the GPUs in use with the least free capacity, so that
 * others stay whole.
 */
function pickAny(
  gpu: StoredGpuRequirement,
  free: readonly number[],
  fit: DeviceFit,
  capacity: DeviceCapacity,
): readonly number[] | undefined {
  const { shape, ranks } = fit;
  let order = free;
  if (free.some((position) => isSlice(shape, position))) {
    const cost = (position: number): number =>
      (ranks[position] ?? 0) * 4096 +
      Math.round((shape.parts[position] ?? 0) * 15) * 256 +
      looseness(capacity, position);
    order = [...free].sort((a, b) => cost(a) - cost(b) || a - b);
  }
  if (!gpu.exclusive) return order.length < gpu.count ? undefined : order.slice(0, gpu.count);
  const gpus = new Set<number>();
  const found: number[] = [];
  for (const position of order) {
    const physical = shape.gpus[position] ?? position;
    if (gpus.has(physical)) continue;
    gpus.add(physical);
    found.push(position);
    if (found.length === gpu.count) return found;
  }
  return undefined;
}

/** Rank of a GPU for slices: smaller if it is in use, then by the least free capacity. */
function looseness(capacity: DeviceCapacity, position: number): number {
  const others = siblings(capacity.shape, position);
  const free = others.filter((other) => capacity.free[other] === wholeDevice).length;
  return (free === others.length ? 128 : 0) + Math.min(free, 127);
}
