/** Free capacity of a worker's devices. */
import type { DeviceLayout, DeviceSet } from './device-set.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';

/** Free thousandths of an unused device. */
export const wholeDevice = 1000;

/** Marks an unhealthy device that no job holds: it has no capacity and blocks no neighbour. */
export const idleBad = -1;

/** The part of a device that jobs hold. */
export interface Booked {
  readonly thousandths: number;
  readonly memoryMiB: number;
  readonly unnamedThousandths: number;
  readonly isExclusive: boolean;
}

/** Free capacity by position in the set. */
export interface DeviceCapacity {
  readonly set: DeviceSet;
  /** Thousandths; negative for an unhealthy device that no job holds. */
  readonly free: readonly number[];
  /** MiB; Infinity if unknown. */
  readonly memoryMiB: readonly number[];
  /** Cached {@link deviceCapacityKey}. */
  text?: string;
}

/** A capacity under construction. */
type OpenCapacity = {
  readonly set: DeviceSet;
  readonly free: number[];
  readonly memoryMiB: readonly number[];
};

/**
 * Returns the free capacity of a worker's devices.
 * @param isOffered whether the worker reports the device as free
 * @param bookings the booked part of each device, never changed afterwards; none by default
 */
export function deviceCapacity(
  arranged: DeviceLayout,
  isOffered: (deviceId: string) => boolean,
  bookings?: ReadonlyMap<string, Booked>,
): DeviceCapacity {
  const { capacity, idle } = bookings ? bookedCapacity(arranged, bookings) : untouched(arranged);
  const kept = idle.filter((position) => !isOffered(arranged.ids[position] ?? ''));
  if (kept.length === 0) return capacity;
  const free = [...capacity.free];
  for (const position of kept) free[position] = 0;
  return { set: capacity.set, free, memoryMiB: capacity.memoryMiB };
}

/** Capacity of a worker that offers all its free devices. */
interface Offered {
  readonly capacity: DeviceCapacity;
  /** Positions of the healthy devices without bookings: those the worker may leave out of its offer. */
  readonly idle: readonly number[];
}

const untouchedCapacities = new WeakMap<DeviceSet, Offered>();
const bookedCapacities = new WeakMap<object, Offered & { readonly of: DeviceLayout }>();

/**
 * Capacity without bookings, shared by all workers with the same devices: most hosts that request jobs are
 * idle.
 */
function untouched({ set }: DeviceLayout): Offered {
  let known = untouchedCapacities.get(set);
  if (!known) {
    const memoryMiB = set.facts.map((facts) => facts.memoryMiB ?? Infinity);
    const free = set.facts.map(({ health }) => (health === 'HEALTHY' ? wholeDevice : idleBad));
    known = { capacity: { set, free, memoryMiB }, idle: wholePositions(free) };
    untouchedCapacities.set(set, known);
  }
  return known;
}

/** Capacity with bookings, cached: most other hosts have not changed since their last request. */
function bookedCapacity(arranged: DeviceLayout, bookings: ReadonlyMap<string, Booked>): Offered {
  const known = bookedCapacities.get(bookings);
  if (known?.of === arranged) return known;
  const { capacity: all } = untouched(arranged);
  const free = [...all.free];
  const memoryMiB = [...all.memoryMiB];
  const taken: number[] = [];
  const idle: number[] = [];
  arranged.ids.forEach((id, position) => {
    const booked = bookings.get(id);
    if (!booked || booked.thousandths === 0) {
      if (free[position] === wholeDevice) idle.push(position);
      return;
    }
    // A worker does not offer a device that a job holds; the bookings say how much of it is left.
    free[position] = Math.max(0, wholeDevice - booked.thousandths);
    // Slices created while a job held the whole GPU wait until it is released.
    if (booked.isExclusive || !isSlice(arranged.set, position)) taken.push(position);
    // No job needs memory of a device that is taken whole.
    if (booked.thousandths < wholeDevice) memoryMiB[position] = memoryLeft(memoryMiB[position] ?? 0, booked);
  });
  const capacity = { set: arranged.set, free, memoryMiB };
  for (const position of taken) closeSiblings(capacity, position);
  const made = { of: arranged, capacity, idle: idle.filter((position) => free[position] === wholeDevice) };
  bookedCapacities.set(bookings, made);
  return made;
}

function wholePositions(free: readonly number[]): readonly number[] {
  return free.flatMap((level, position) => (level === wholeDevice ? [position] : []));
}

function memoryLeft(all: number, { memoryMiB, unnamedThousandths }: Booked): number {
  return all === Infinity ? all : all - memoryMiB - (unnamedThousandths / wholeDevice) * all;
}

/** Returns a key that is equal for interchangeable capacities. */
export function deviceCapacityKey(capacity: DeviceCapacity): string {
  return (capacity.text ??= textOf(capacity));
}

function textOf({ set, free, memoryMiB }: DeviceCapacity): string {
  const { kinds } = set;
  const first = free[0];
  // Most hosts are all free or all taken.
  if ((first === 0 || first === wholeDevice) && free.every((level) => level === first))
    return first === 0 ? '-' : '+';
  let text = '';
  let from = 0;
  while (from < kinds.length) {
    let [to, wholes, isShared] = [from, 0, false];
    for (; to < kinds.length && kinds[to] === kinds[from]; to += 1) {
      if (free[to] === wholeDevice) wholes += 1;
      else if (free[to] !== 0) isShared = true;
    }
    // Of devices that are all free or all taken, only the number matters.
    text += isShared ? `${sharedText(free, memoryMiB, from, to)};` : `${wholes};`;
    from = to;
  }
  return text;
}

function sharedText(free: readonly number[], memoryMiB: readonly number[], from: number, to: number): string {
  const levels: string[] = [];
  for (let at = from; at < to; at += 1) {
    const level = free[at] ?? 0;
    levels.push(level > 0 && level < wholeDevice ? `${level}/${memoryMiB[at] ?? 0}` : String(level));
  }
  return levels.sort().join(',');
}

/**
 * Maps positions in one capacity to the corresponding ones in another with the same {@link
 * deviceCapacityKey}.
 */
export function sameDevices(
  positions: readonly number[],
  from: DeviceCapacity,
  to: DeviceCapacity,
): readonly number[] {
  const isSame = (position: number, other: number): boolean =>
    from.set.kinds[position] === to.set.kinds[other] &&
    from.free[position] === to.free[other] &&
    from.memoryMiB[position] === to.memoryMiB[other];
  if (positions.every((position) => isSame(position, position))) return positions;
  const used = new Set<number>();
  return positions.map((position) => {
    const other = to.free.findIndex((_free, at) => !used.has(at) && isSame(position, at));
    if (other < 0) throw new Error(`capacities with the same key differ at position ${position}`);
    used.add(other);
    return other;
  });
}

/** Returns the capacity without the given devices. */
export function withoutDevices(
  gpu: StoredGpuRequirement,
  { set, free, memoryMiB }: DeviceCapacity,
  positions: readonly number[],
): DeviceCapacity {
  const left = [...memoryMiB];
  const capacity = { set, free: [...free], memoryMiB: gpu.share === undefined ? memoryMiB : left };
  for (const position of positions) {
    if (gpu.share === undefined) {
      capacity.free[position] = 0;
      if (gpu.exclusive) closeSiblings(capacity, position);
      continue;
    }
    capacity.free[position] = (capacity.free[position] ?? 0) - gpu.share;
    left[position] = (left[position] ?? 0) - shareMemory(gpu, capacity, position);
  }
  return capacity;
}

/**
 * Returns the capacity without what other workers have granted of the devices, whether these were free here
 * or not.
 */
export function withoutOthers(
  gpu: StoredGpuRequirement,
  capacity: DeviceCapacity,
  positions: readonly number[],
): DeviceCapacity {
  const [share = Infinity, free] = [gpu.share, [...capacity.free]];
  const shared = positions.filter((position) => (free[position] ?? 0) >= share);
  for (const position of positions) if (!shared.includes(position)) free[position] = 0;
  return withoutDevices(gpu, { ...capacity, free }, shared);
}

/** Memory in MiB that a share takes of a device. */
export function shareMemory(gpu: StoredGpuRequirement, { set }: DeviceCapacity, position: number): number {
  if (gpu.shareMemoryMiB !== undefined) return gpu.shareMemoryMiB;
  return ((gpu.share ?? 0) / wholeDevice) * (set.facts[position]?.memoryMiB ?? 0);
}

/** Returns true if the device is a slice of another device. */
export function isSlice({ facts }: DeviceSet, position: number): boolean {
  return facts[position]?.parentId !== undefined;
}

/** The other slices of the same GPU. */
export function siblings(set: DeviceSet, position: number): readonly number[] {
  const { gpus } = set;
  const first = gpus[position] ?? position;
  const found: number[] = [];
  for (let other = first; gpus[other] === first; other += 1)
    if (other !== position && isSlice(set, other)) found.push(other);
  return found;
}

function closeSiblings(capacity: OpenCapacity, position: number): void {
  for (const other of siblings(capacity.set, position)) capacity.free[other] = 0;
}
