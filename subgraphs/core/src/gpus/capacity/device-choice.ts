/** Chooses the devices that a job gets from the free devices of a worker. */
import { type DeviceMatch, rankTogether } from '../verdict/device-match.js';
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
  match: DeviceMatch,
  capacity: DeviceCapacity,
): readonly number[] | undefined {
  if (gpu.share !== undefined) return tightest(shareCandidates(gpu, match, capacity), match, capacity);
  const free = match.positions.filter((position) => isFreeFor(gpu, capacity, position));
  if (free.length < gpu.count) return undefined;
  if (gpu.nvlink && gpu.count > 1) return connected(gpu, free, match, capacity);
  return pick(gpu, free, match, capacity);
}

/**
 * All distinct choices, the best first. A share has one for each kind of device and free capacity; other
 * requirements have one choice.
 */
export function deviceChoices(
  gpu: StoredGpuRequirement,
  match: DeviceMatch,
  capacity: DeviceCapacity,
): readonly (readonly number[])[] {
  if (gpu.share === undefined) {
    const chosen = chooseDevices(gpu, match, capacity);
    return chosen ? [chosen] : [];
  }
  const seen = new Set<number>();
  const found: (readonly number[])[] = [];
  for (const position of shareCandidates(gpu, match, capacity)) {
    const alike = (match.set.kinds[position] ?? 0) * 1024 + (capacity.free[position] ?? 0);
    if (seen.has(alike)) continue;
    seen.add(alike);
    found.push([position]);
  }
  return found.sort(([a = 0], [b = 0]) => tightness(match, capacity, a) - tightness(match, capacity, b));
}

function shareCandidates(
  gpu: StoredGpuRequirement,
  match: DeviceMatch,
  capacity: DeviceCapacity,
): readonly number[] {
  const wanted = gpu.share ?? 0;
  return match.positions.filter(
    (position) =>
      (capacity.free[position] ?? 0) >= wanted &&
      // Parts of memory are fractions: less than a thousandth of a MiB does not count.
      (capacity.memoryMiB[position] ?? 0) + 1e-3 >= shareMemory(gpu, capacity, position),
  );
}

/** Rank of a device, smaller is better: by verdict and size, then by the least free capacity. */
function tightness(match: DeviceMatch, capacity: DeviceCapacity, position: number): number {
  return (match.ranks[position] ?? 0) * 1024 + (capacity.free[position] ?? 0);
}

function tightest(
  candidates: readonly number[],
  match: DeviceMatch,
  capacity: DeviceCapacity,
): readonly number[] | undefined {
  let best: number | undefined;
  for (const position of candidates)
    if (best === undefined || tightness(match, capacity, position) < tightness(match, capacity, best))
      best = position;
  return best === undefined ? undefined : [best];
}

function isFreeFor(gpu: StoredGpuRequirement, capacity: DeviceCapacity, position: number): boolean {
  if (capacity.free[position] !== wholeDevice) return false;
  if (!gpu.exclusive) return true;
  return siblings(capacity.set, position).every((other) => {
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
  match: DeviceMatch,
  capacity: DeviceCapacity,
): readonly number[] | undefined {
  const sets = new Map<string, number[]>();
  for (const position of free) {
    const group = match.set.facts[position]?.nvlinkGroup ?? '';
    sets.set(group, [...(sets.get(group) ?? []), position]);
  }
  const bySize = [...sets.values()].sort((a, b) => a.length - b.length);
  return best(
    match,
    bySize.map((set) => pick(gpu, set, match, capacity)),
  );
}

/** Returns the first of the sets that fit together best. */
function best(
  match: DeviceMatch,
  choices: readonly (readonly number[] | undefined)[],
): readonly number[] | undefined {
  const found = choices.filter((chosen) => chosen !== undefined);
  return found.sort((a, b) => rankTogether(match, a) - rankTogether(match, b))[0];
}

/**
 * Prefers devices of one make where enough of them have the best verdict: a job that names no model expects
 * equal devices.
 */
function pick(
  gpu: StoredGpuRequirement,
  free: readonly number[],
  match: DeviceMatch,
  capacity: DeviceCapacity,
): readonly number[] | undefined {
  const { makes } = match;
  const any = pickAny(gpu, free, match, capacity);
  if (!any || !makes || any.every((position) => makes[position] === makes[any[0] ?? 0])) return any;
  const byMake = new Map<number | undefined, number[]>();
  for (const position of free)
    byMake.set(makes[position], [...(byMake.get(makes[position]) ?? []), position]);
  return best(match, [any, ...[...byMake.values()].map((alike) => pickAny(gpu, alike, match, capacity))]);
}

/**
 * Returns the first free devices; slices come from the GPUs in use with the least free capacity, so that
 * others stay whole.
 */
function pickAny(
  gpu: StoredGpuRequirement,
  free: readonly number[],
  match: DeviceMatch,
  capacity: DeviceCapacity,
): readonly number[] | undefined {
  const { set, ranks } = match;
  let order = free;
  if (free.some((position) => isSlice(set, position))) {
    const cost = (position: number): number =>
      (ranks[position] ?? 0) * 4096 +
      Math.round((set.parts[position] ?? 0) * 15) * 256 +
      looseness(capacity, position);
    order = [...free].sort((a, b) => cost(a) - cost(b) || a - b);
  }
  if (!gpu.exclusive) return order.length < gpu.count ? undefined : order.slice(0, gpu.count);
  const gpus = new Set<number>();
  const found: number[] = [];
  for (const position of order) {
    const physical = set.gpus[position] ?? position;
    if (gpus.has(physical)) continue;
    gpus.add(physical);
    found.push(position);
    if (found.length === gpu.count) return found;
  }
  return undefined;
}

/** Rank of a GPU for slices: smaller if it is in use, then by the least free capacity. */
function looseness(capacity: DeviceCapacity, position: number): number {
  const others = siblings(capacity.set, position);
  const free = others.filter((other) => capacity.free[other] === wholeDevice).length;
  return (free === others.length ? 128 : 0) + Math.min(free, 127);
}
