/** What is free of a worker's devices. */
import type { DeviceLayout, DeviceShape } from './device-shape.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';

/** A device that nobody uses. */
export const wholeDevice = 1000;

/** A device that nobody uses and nobody can: it is no room for anything, and nobody's neighbour. */
export const idleBad = -1;

/** What is given away of a device. */
export interface Booked {
  readonly thousandths: number;
  readonly memoryMiB: number;
  readonly unnamedThousandths: number;
  readonly isExclusive: boolean;
}

/** What is free, by position in the shape. */
export interface DeviceCapacity {
  readonly shape: DeviceShape;
  /** Thousandths; less than 0 of one that is not well and that nobody has. */
  readonly free: readonly number[];
  /** MiB; Infinity where it is not known. */
  readonly memoryMiB: readonly number[];
  /** What {@link deviceCapacityKey} made of it. */
  text?: string;
}

/** A room that is being made. */
type OpenCapacity = {
  readonly shape: DeviceShape;
  readonly free: number[];
  readonly memoryMiB: readonly number[];
};

/**
 * The room of a worker.
 * @param isOffered whether the worker says that the device is free
 * @param bookings what is given away, by device; never changed afterwards. Left out: nothing
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
  return { shape: capacity.shape, free, memoryMiB: capacity.memoryMiB };
}

/** The room of a worker that offers all it has. */
interface Offered {
  readonly capacity: DeviceCapacity;
  /** Positions of the devices that are well and nobody has: those it may not offer. */
  readonly idle: readonly number[];
}

const untouchedCapacities = new WeakMap<DeviceShape, Offered>();
const bookedCapacities = new WeakMap<object, Offered & { readonly of: DeviceLayout }>();

/** Most hosts that ask are all free: one room stands for all of a shape. */
function untouched({ shape }: DeviceLayout): Offered {
  let known = untouchedCapacities.get(shape);
  if (!known) {
    const memoryMiB = shape.facts.map((facts) => facts.memoryMiB ?? Infinity);
    const free = shape.facts.map(({ health }) => (health === 'HEALTHY' ? wholeDevice : idleBad));
    known = { capacity: { shape, free, memoryMiB }, idle: wholePositions(free) };
    untouchedCapacities.set(shape, known);
  }
  return known;
}

/** Most of the others have not changed since they asked last. */
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
    // A worker does not offer a device that it has given to somebody; what shares leave of it the bookings tell.
    free[position] = Math.max(0, wholeDevice - booked.thousandths);
    // Slices that came while the GPU was given whole wait until it is given back.
    if (booked.isExclusive || !isSlice(arranged.shape, position)) taken.push(position);
    // Of a device that is given away whole nobody asks for memory.
    if (booked.thousandths < wholeDevice) memoryMiB[position] = memoryLeft(memoryMiB[position] ?? 0, booked);
  });
  const capacity = { shape: arranged.shape, free, memoryMiB };
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

/** A text that is equal for rooms that can stand for one another. */
export function deviceCapacityKey(capacity: DeviceCapacity): string {
  return (capacity.text ??= textOf(capacity));
}

function textOf({ shape, free, memoryMiB }: DeviceCapacity): string {
  const { kinds } = shape;
  const first = free[0];
  // Most hosts are all free, or all taken.
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
    // Of those that are all free or all taken, their number says it all.
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

/** Devices that are to one room what those of the positions are to another of the same {@link deviceCapacityKey}. */
export function sameDevices(
  positions: readonly number[],
  from: DeviceCapacity,
  to: DeviceCapacity,
): readonly number[] {
  const isSame = (position: number, other: number): boolean =>
    from.shape.kinds[position] === to.shape.kinds[other] &&
    from.free[position] === to.free[other] &&
    from.memoryMiB[position] === to.memoryMiB[other];
  if (positions.every((position) => isSame(position, position))) return positions;
  const used = new Set<number>();
  return positions.map((position) => {
    const other = to.free.findIndex((_free, at) => !used.has(at) && isSame(position, at));
    if (other < 0) throw new Error(`rooms of one text differ at position ${position}`);
    used.add(other);
    return other;
  });
}

/** The room without the devices. */
export function withoutDevices(
  gpu: StoredGpuRequirement,
  { shape, free, memoryMiB }: DeviceCapacity,
  positions: readonly number[],
): DeviceCapacity {
  const left = [...memoryMiB];
  const capacity = { shape, free: [...free], memoryMiB: gpu.share === undefined ? memoryMiB : left };
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

/** The room without what another worker has given of the devices, whether they were free here or not. */
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

/** Memory that a share takes of a device. */
export function shareMemory(gpu: StoredGpuRequirement, { shape }: DeviceCapacity, position: number): number {
  if (gpu.shareMemoryMiB !== undefined) return gpu.shareMemoryMiB;
  return ((gpu.share ?? 0) / wholeDevice) * (shape.facts[position]?.memoryMiB ?? 0);
}

/** Whether it is a slice of another device. */
export function isSlice({ facts }: DeviceShape, position: number): boolean {
  return facts[position]?.parentId !== undefined;
}

/** The other slices of its GPU. */
export function siblings(shape: DeviceShape, position: number): readonly number[] {
  const { gpus } = shape;
  const first = gpus[position] ?? position;
  const found: number[] = [];
  for (let other = first; gpus[other] === first; other += 1)
    if (other !== position && isSlice(shape, other)) found.push(other);
  return found;
}

function closeSiblings(capacity: OpenCapacity, position: number): void {
  for (const other of siblings(capacity.shape, position)) capacity.free[other] = 0;
}
