/** What is free of a worker's devices, and which of them a job gets. */
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import { type DeviceFit, rankTogether } from './device-fit.js';
import type { ArrangedDevices, DeviceShape } from './device-shape.js';

/** A device that nobody uses. */
export const wholeDevice = 1000;

/** A device that nobody uses and nobody can: it is no room for anything, and nobody's neighbour. */
const idleBad = -1;

/** What is given away of a device. */
export interface Booked {
  readonly thousandths: number;
  readonly memoryMiB: number;
  readonly unnamedThousandths: number;
  readonly isExclusive: boolean;
}

/** What is free, by position in the shape. */
export interface DeviceRoom {
  readonly shape: DeviceShape;
  /** Thousandths; less than 0 of one that is not well and that nobody has. */
  readonly free: readonly number[];
  /** MiB; Infinity where it is not known. */
  readonly memoryMiB: readonly number[];
  /** What {@link roomText} made of it. */
  text?: string;
}

/** A room that is being made. */
type OpenRoom = {
  readonly shape: DeviceShape;
  readonly free: number[];
  readonly memoryMiB: readonly number[];
};

/**
 * The room of a worker.
 * @param isOffered whether the worker says that the device is free
 * @param bookings what is given away, by device; never changed afterwards. Left out: nothing
 */
export function deviceRoom(
  arranged: ArrangedDevices,
  isOffered: (deviceId: string) => boolean,
  bookings?: ReadonlyMap<string, Booked>,
): DeviceRoom {
  const { room, idle } = bookings ? bookedRoom(arranged, bookings) : untouched(arranged);
  const kept = idle.filter((position) => !isOffered(arranged.ids[position] ?? ''));
  if (kept.length === 0) return room;
  const free = [...room.free];
  for (const position of kept) free[position] = 0;
  return { shape: room.shape, free, memoryMiB: room.memoryMiB };
}

/** The room of a worker that offers all it has. */
interface Offered {
  readonly room: DeviceRoom;
  /** Positions of the devices that are well and nobody has: those it may not offer. */
  readonly idle: readonly number[];
}

const untouchedRooms = new WeakMap<DeviceShape, Offered>();
const bookedRooms = new WeakMap<object, Offered & { readonly of: ArrangedDevices }>();

/** Most hosts that ask are all free: one room stands for all of a shape. */
function untouched({ shape }: ArrangedDevices): Offered {
  let known = untouchedRooms.get(shape);
  if (!known) {
    const memoryMiB = shape.facts.map((facts) => facts.memoryMiB ?? Infinity);
    const free = shape.facts.map(({ health }) => (health === 'HEALTHY' ? wholeDevice : idleBad));
    known = { room: { shape, free, memoryMiB }, idle: wholePositions(free) };
    untouchedRooms.set(shape, known);
  }
  return known;
}

/** Most of the others have not changed since they asked last. */
function bookedRoom(arranged: ArrangedDevices, bookings: ReadonlyMap<string, Booked>): Offered {
  const known = bookedRooms.get(bookings);
  if (known?.of === arranged) return known;
  const { room: all } = untouched(arranged);
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
  const room = { shape: arranged.shape, free, memoryMiB };
  for (const position of taken) closeSiblings(room, position);
  const made = { of: arranged, room, idle: idle.filter((position) => free[position] === wholeDevice) };
  bookedRooms.set(bookings, made);
  return made;
}

function wholePositions(free: readonly number[]): readonly number[] {
  return free.flatMap((level, position) => (level === wholeDevice ? [position] : []));
}

function memoryLeft(all: number, { memoryMiB, unnamedThousandths }: Booked): number {
  return all === Infinity ? all : all - memoryMiB - (unnamedThousandths / wholeDevice) * all;
}

/** A text that is equal for rooms that can stand for one another. */
export function roomText(room: DeviceRoom): string {
  return (room.text ??= textOf(room));
}

function textOf({ shape, free, memoryMiB }: DeviceRoom): string {
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

/** The devices that the job gets, as positions, or undefined if there are not enough. */
export function chooseDevices(
  gpu: StoredGpuRequirement,
  fit: DeviceFit,
  room: DeviceRoom,
): readonly number[] | undefined {
  if (gpu.share !== undefined) return tightest(shareCandidates(gpu, fit, room), fit, room);
  const free = fit.positions.filter((position) => isFreeFor(gpu, room, position));
  if (free.length < gpu.count) return undefined;
  if (gpu.nvlink && gpu.count > 1) return connected(gpu, free, fit, room);
  return pick(gpu, free, fit, room);
}

/**
 * All choices that differ: for a share, one device for each kind and what is free of it; else the one choice. The best by itself is the first.
 */
export function deviceChoices(
  gpu: StoredGpuRequirement,
  fit: DeviceFit,
  room: DeviceRoom,
): readonly (readonly number[])[] {
  if (gpu.share === undefined) {
    const chosen = chooseDevices(gpu, fit, room);
    return chosen ? [chosen] : [];
  }
  const seen = new Set<number>();
  const found: (readonly number[])[] = [];
  for (const position of shareCandidates(gpu, fit, room)) {
    const alike = (fit.shape.kinds[position] ?? 0) * 1024 + (room.free[position] ?? 0);
    if (seen.has(alike)) continue;
    seen.add(alike);
    found.push([position]);
  }
  return found.sort(([a = 0], [b = 0]) => tightness(fit, room, a) - tightness(fit, room, b));
}

/** Devices that are to one room what those of the positions are to another of the same {@link roomText}. */
export function sameDevices(
  positions: readonly number[],
  from: DeviceRoom,
  to: DeviceRoom,
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
  { shape, free, memoryMiB }: DeviceRoom,
  positions: readonly number[],
): DeviceRoom {
  const left = [...memoryMiB];
  const room = { shape, free: [...free], memoryMiB: gpu.share === undefined ? memoryMiB : left };
  for (const position of positions) {
    if (gpu.share === undefined) {
      room.free[position] = 0;
      if (gpu.exclusive) closeSiblings(room, position);
      continue;
    }
    room.free[position] = (room.free[position] ?? 0) - gpu.share;
    left[position] = (left[position] ?? 0) - shareMemory(gpu, room, position);
  }
  return room;
}

/** The room without what another worker has given of the devices, whether they were free here or not. */
export function withoutOthers(
  gpu: StoredGpuRequirement,
  room: DeviceRoom,
  positions: readonly number[],
): DeviceRoom {
  const [share = Infinity, free] = [gpu.share, [...room.free]];
  const shared = positions.filter((position) => (free[position] ?? 0) >= share);
  for (const position of positions) if (!shared.includes(position)) free[position] = 0;
  return withoutDevices(gpu, { ...room, free }, shared);
}

function shareMemory(gpu: StoredGpuRequirement, { shape }: DeviceRoom, position: number): number {
  if (gpu.shareMemoryMiB !== undefined) return gpu.shareMemoryMiB;
  return ((gpu.share ?? 0) / wholeDevice) * (shape.facts[position]?.memoryMiB ?? 0);
}

function shareCandidates(gpu: StoredGpuRequirement, fit: DeviceFit, room: DeviceRoom): readonly number[] {
  const wanted = gpu.share ?? 0;
  return fit.positions.filter(
    (position) =>
      (room.free[position] ?? 0) >= wanted &&
      // Parts of memory are fractions: less than a thousandth of a MiB over is not over.
      (room.memoryMiB[position] ?? 0) + 1e-3 >= shareMemory(gpu, room, position),
  );
}

/** Smaller is better: the verdict and the size first, then the least that is free. */
function tightness(fit: DeviceFit, room: DeviceRoom, position: number): number {
  return (fit.ranks[position] ?? 0) * 1024 + (room.free[position] ?? 0);
}

function tightest(
  candidates: readonly number[],
  fit: DeviceFit,
  room: DeviceRoom,
): readonly number[] | undefined {
  let best: number | undefined;
  for (const position of candidates)
    if (best === undefined || tightness(fit, room, position) < tightness(fit, room, best)) best = position;
  return best === undefined ? undefined : [best];
}

function isFreeFor(gpu: StoredGpuRequirement, room: DeviceRoom, position: number): boolean {
  if (room.free[position] !== wholeDevice) return false;
  if (!gpu.exclusive) return true;
  return siblings(room.shape, position).every((other) => {
    const free = room.free[other];
    return free === wholeDevice || free === idleBad;
  });
}

/** Of the sets that are connected the smallest that is enough: a large one is kept for those who need it. */
function connected(
  gpu: StoredGpuRequirement,
  free: readonly number[],
  fit: DeviceFit,
  room: DeviceRoom,
): readonly number[] | undefined {
  const sets = new Map<string, number[]>();
  for (const position of free) {
    const group = fit.shape.facts[position]?.nvlinkGroup ?? '';
    sets.set(group, [...(sets.get(group) ?? []), position]);
  }
  const bySize = [...sets.values()].sort((a, b) => a.length - b.length);
  return best(
    fit,
    bySize.map((set) => pick(gpu, set, fit, room)),
  );
}

/** The first of those that are best together. */
function best(
  fit: DeviceFit,
  choices: readonly (readonly number[] | undefined)[],
): readonly number[] | undefined {
  const found = choices.filter((chosen) => chosen !== undefined);
  return found.sort((a, b) => rankTogether(fit, a) - rankTogether(fit, b))[0];
}

/** Devices of one make, where there are enough that serve as well as any; a job that names none counts on equal ones. */
function pick(
  gpu: StoredGpuRequirement,
  free: readonly number[],
  fit: DeviceFit,
  room: DeviceRoom,
): readonly number[] | undefined {
  const { makes } = fit;
  const any = pickAny(gpu, free, fit, room);
  if (!any || !makes || any.every((position) => makes[position] === makes[any[0] ?? 0])) return any;
  const byMake = new Map<number | undefined, number[]>();
  for (const position of free)
    byMake.set(makes[position], [...(byMake.get(makes[position]) ?? []), position]);
  return best(fit, [any, ...[...byMake.values()].map((alike) => pickAny(gpu, alike, fit, room))]);
}

/** The first of those that are free; slices from GPUs of which something is taken and the least is free, so that others stay as they are. */
function pickAny(
  gpu: StoredGpuRequirement,
  free: readonly number[],
  fit: DeviceFit,
  room: DeviceRoom,
): readonly number[] | undefined {
  const { shape, ranks } = fit;
  let order = free;
  if (free.some((position) => isSlice(shape, position))) {
    const cost = (position: number): number =>
      (ranks[position] ?? 0) * 4096 +
      Math.round((shape.parts[position] ?? 0) * 15) * 256 +
      looseness(room, position);
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

/** Smaller for a GPU of which something is taken already, and among those for one of which less is free. */
function looseness(room: DeviceRoom, position: number): number {
  const others = siblings(room.shape, position);
  const free = others.filter((other) => room.free[other] === wholeDevice).length;
  return (free === others.length ? 128 : 0) + Math.min(free, 127);
}

function isSlice({ facts }: DeviceShape, position: number): boolean {
  return facts[position]?.parentId !== undefined;
}

/** The other slices of its GPU. */
function siblings(shape: DeviceShape, position: number): readonly number[] {
  const { gpus } = shape;
  const first = gpus[position] ?? position;
  const found: number[] = [];
  for (let other = first; gpus[other] === first; other += 1)
    if (other !== position && isSlice(shape, other)) found.push(other);
  return found;
}

function closeSiblings(room: OpenRoom, position: number): void {
  for (const other of siblings(room.shape, position)) room.free[other] = 0;
}
