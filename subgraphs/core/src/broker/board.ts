/**
 * The board of a pass: those who ask, in buckets of equal room, and for each class the buckets that can take its next job, the best first. A
 * class looks at each bucket once; a bucket's room never changes, those in it move on to another.
 */
import type { DeviceFit } from '../gpus/device-fit.js';
import {
  copyRoom,
  deviceChoices,
  type DeviceRoom,
  roomText,
  sameDevices,
  takeDevices,
  wholeDevice,
} from '../gpus/device-room.js';
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import type { AcquireRequest } from './broker.types.js';
import { type Demand, type HostKind, Prices } from './demand.js';
import type { FleetWorker, Shape } from './fleet.js';
import { Heap } from './heap.js';
import type { RequirementClass } from './requirement-class.js';

/** What a worker that asks has room for. */
export interface Room {
  cores: number;
  memoryMiB: number;
  diskMiB: number;
  devices: DeviceRoom;
}

/** A worker that asks. */
export interface Asker {
  /** Its place among the requests of the pass. */
  readonly index: number;
  readonly worker: FleetWorker;
  readonly request: AcquireRequest;
  readonly room: Room;
  /** Jobs that it may still get. */
  left: number;
  /** Of them, jobs without GPUs: those are spread over all who ask. */
  leftPlain: number;
  readonly seconds: number;
}

/** Workers of one shape whose callers may take the same. */
interface Place {
  readonly shape: Shape;
  readonly experiments: readonly string[] | undefined;
  readonly queue: { left: number };
  /** Every bucket each time that somebody comes into it. */
  readonly log: Bucket[];
  readonly buckets: Map<string, Bucket>;
}

interface Bucket {
  readonly place: Place;
  readonly room: Room;
  readonly takesPlain: boolean;
  readonly askers: Asker[];
  /** Whether those in it differ in the time they have. */
  hasDeadlines: boolean;
  slots: Uint16Array | undefined;
}

/** A bucket with room for the next job of a class. */
interface Found {
  readonly bucket: Bucket;
  /** Positions of the devices, as the bucket's room has them. */
  readonly positions: readonly number[];
  readonly cost: number;
}

/** Where a class has looked, and what it found. */
interface Front {
  readonly cls: RequirementClass;
  readonly places: { readonly place: Place; readonly fit: DeviceFit | undefined; at: number }[];
  readonly found: Heap<Found>;
}

/** A place for a job. */
export interface Placing {
  readonly asker: Asker;
  /** Positions of its devices. */
  readonly positions: readonly number[];
}

/** Prices are reckoned for so many numbers in one pass at most; what comes after goes by the simple order. */
const maxPriced = 4_000_000;
/** Beyond so many different rooms prices would take longer than the pass. */
const maxPricedBuckets = 4096;
/** The larger ones come before the smaller ones in the order of costs. */
const tierWeight = 1e13;
const rankWeight = 1e9;
const priceScale = 1e8;

/** What places are priced by. */
export interface Pricing {
  readonly demand: Demand;
  /** The kinds of hosts of the whole fleet. */
  readonly hosts: () => readonly HostKind[];
}

const noSlots = new Uint16Array(0);

/** See the head of this file. */
export class Board {
  readonly #places: Place[] = [];
  readonly #placesByShape = new Map<Shape, Map<string, Place>>();
  readonly #queues = new Map<string, { left: number }>();
  readonly #fronts = new Map<RequirementClass, Map<string, Front>>();
  readonly #parked = new Map<RequirementClass, Set<string>>();
  readonly #placeBy = new Map<Asker, Place>();
  readonly #pricing: Pricing | undefined;
  #prices: Prices | undefined;
  #priced = 0;
  #askers = 0;

  /** @param pricing left out: places are not priced */
  constructor(pricing?: Pricing) {
    this.#pricing = pricing;
  }

  /** Takes in a worker that asks. @param queueLeft jobs that its queue may still run */
  admit(asker: Asker, queueLeft: number): void {
    const { shape } = asker.worker;
    const { experiments } = asker.request;
    let ofShape = this.#placesByShape.get(shape);
    if (!ofShape) this.#placesByShape.set(shape, (ofShape = new Map()));
    const key = experiments?.join(' ') ?? '*';
    let place = ofShape.get(key);
    if (!place) {
      let queue = this.#queues.get(shape.queue.id);
      if (!queue) this.#queues.set(shape.queue.id, (queue = { left: queueLeft }));
      place = { shape, experiments, queue, log: [], buckets: new Map() };
      ofShape.set(key, place);
      this.#places.push(place);
    }
    this.#askers += 1;
    this.#placeBy.set(asker, place);
    this.#put(place, asker);
  }

  /** All are in: prices are made where there is a choice. */
  ready(): void {
    const { demand, hosts } = this.#pricing ?? {};
    if (!demand || !hosts || this.#askers < 2 || demand.classes().length === 0) return;
    const withDevices = this.#places.filter(({ shape }) => shape.hasDevices);
    const buckets = withDevices.flatMap(({ buckets: all }) => [...all.values()]);
    if (buckets.length < 2 || buckets.length > maxPricedBuckets) return;
    this.#prices = new Prices(demand, hosts());
    for (const bucket of buckets) this.#prices.add(this.#slots(bucket), bucket.askers.length);
  }

  /** Whether anybody may get something still. */
  get isOpen(): boolean {
    return this.#askers > 0;
  }

  /** Whether the class was found to fit nobody any more in this pass. */
  isParked(cls: RequirementClass, experiment: string): boolean {
    return this.#parked.get(cls)?.has(experiment) ?? false;
  }

  /** The best place for a job of the class, or undefined if nobody who asks has room; then the class is parked. */
  find(cls: RequirementClass, experiment: string): Placing | undefined {
    const front = this.#front(cls, experiment);
    this.#look(front);
    for (;;) {
      const top = front.found.peek();
      if (!top) break;
      const placing = this.#placeIn(top, front.cls);
      if (placing) return placing;
      front.found.pop();
    }
    const parked = this.#parked.get(cls);
    if (parked) parked.add(experiment);
    else this.#parked.set(cls, new Set([experiment]));
    return undefined;
  }

  /** Takes the room of a job. */
  take({ asker, positions }: Placing, cls: RequirementClass): void {
    const { cores, memoryMiB, diskMiB, gpu } = cls.requirements;
    const place = this.#placeBy.get(asker);
    if (!place) throw new Error(`worker ${asker.worker.facts.id} does not ask`);
    const bucket = place.buckets.get(bucketText(asker));
    const at = bucket?.askers.lastIndexOf(asker) ?? -1;
    const before = bucket && this.#prices && place.shape.hasDevices ? this.#slots(bucket) : undefined;
    if (bucket && at >= 0) {
      const last = bucket.askers.pop();
      if (last && last !== asker) bucket.askers[at] = last;
    }
    const { room } = asker;
    room.cores -= cores;
    room.memoryMiB -= memoryMiB;
    room.diskMiB -= diskMiB;
    if (gpu && positions.length > 0) takeDevices(gpu, room.devices, positions);
    asker.left -= 1;
    if (gpu === undefined) asker.leftPlain -= 1;
    place.queue.left -= 1;
    const after =
      asker.left > 0 && room.cores > 0 && room.memoryMiB > 0 ? this.#put(place, asker) : undefined;
    if (!after) this.#askers -= 1;
    if (before && this.#prices) {
      this.#prices.add(before, -1);
      if (after) this.#prices.add(this.#slots(after), 1);
    }
  }

  #put(place: Place, asker: Asker): Bucket {
    const text = bucketText(asker);
    let bucket = place.buckets.get(text);
    if (!bucket) {
      const { cores, memoryMiB, diskMiB, devices } = asker.room;
      bucket = {
        place,
        room: { cores, memoryMiB, diskMiB, devices: place.shape.hasDevices ? copyRoom(devices) : devices },
        takesPlain: asker.leftPlain > 0,
        askers: [],
        hasDeadlines: false,
        slots: undefined,
      };
      place.buckets.set(text, bucket);
    }
    // A bucket in which a class found nobody who has the time may have somebody now.
    if (bucket.askers.length === 0 || bucket.hasDeadlines || asker.seconds !== Infinity)
      place.log.push(bucket);
    if (asker.seconds !== Infinity) bucket.hasDeadlines = true;
    bucket.askers.push(asker);
    return bucket;
  }

  #front(cls: RequirementClass, experiment: string): Front {
    let ofClass = this.#fronts.get(cls);
    if (!ofClass) this.#fronts.set(cls, (ofClass = new Map()));
    let front = ofClass.get(experiment);
    if (!front) {
      const places = this.#places.flatMap((place) => {
        const { shape, experiments } = place;
        const admits = shape.queue.experiments;
        if (
          (admits.length > 0 && !admits.includes(experiment)) ||
          experiments?.includes(experiment) === false
        )
          return [];
        return shape.mayFit(cls) ? [{ place, fit: shape.deviceFit(cls), at: 0 }] : [];
      });
      front = { cls, places, found: new Heap((a, b) => a.cost - b.cost) };
      ofClass.set(experiment, front);
    }
    return front;
  }

  /** Looks at the buckets that came since. */
  #look(front: Front): void {
    for (const entry of front.places) {
      const { place, fit } = entry;
      for (; entry.at < place.log.length; entry.at += 1) {
        const bucket = place.log[entry.at];
        if (!bucket || bucket.askers.length === 0) continue;
        const found = this.#judge(front.cls, bucket, fit);
        if (found) front.found.push(found);
      }
    }
  }

  /** What the bucket costs a job of the class, or undefined where there is no room. */
  #judge(cls: RequirementClass, bucket: Bucket, fit: DeviceFit | undefined): Found | undefined {
    const { gpu } = cls.requirements;
    const { place } = bucket;
    if (!hasRoom(bucket.room, cls) || place.queue.left <= 0) return undefined;
    if (gpu === undefined && !bucket.takesPlain) return undefined;
    const best = gpu && fit && this.#best(cls, gpu, fit, bucket);
    if (best) return best;
    if (gpu !== undefined && !gpu.optional) return undefined;
    // Without devices: on hosts that have none first, and else where the fewest are free.
    const tier = (gpu === undefined ? 0 : 1) + (place.shape.hasDevices ? 1 : 0);
    const cost = place.shape.hasDevices
      ? (this.#price(bucket, less(bucket.room, cls)) ?? freeGpus(bucket.room) * 1000)
      : 0;
    return { bucket, positions: [], cost: tier * tierWeight + cost };
  }

  /** The best devices of the bucket's room. */
  #best(cls: RequirementClass, gpu: StoredGpuRequirement, fit: DeviceFit, bucket: Bucket): Found | undefined {
    let best: Found | undefined;
    for (const positions of deviceChoices(gpu, fit, bucket.room.devices)) {
      let rank = 0;
      for (const position of positions) rank = Math.max(rank, fit.ranks[position] ?? 0);
      const cost = rank * rankWeight + this.#deviceCost(cls, gpu, bucket, positions);
      if (!best || cost < best.cost) best = { bucket, positions, cost };
      // Without prices the first is the best.
      if (!this.#isPricing) break;
    }
    return best;
  }

  #deviceCost(
    cls: RequirementClass,
    gpu: StoredGpuRequirement,
    bucket: Bucket,
    positions: readonly number[],
  ): number {
    const { room } = bucket;
    if (this.#isPricing) {
      const after = { ...less(room, cls), devices: copyRoom(room.devices) };
      takeDevices(gpu, after.devices, positions);
      const priced = this.#price(bucket, after);
      if (priced !== undefined) return priced;
    }
    // Hosts of which the least is free first, so that the others stay whole; a share where it leaves the least.
    const left = gpu.share === undefined ? 0 : (room.devices.free[positions[0] ?? 0] ?? 0) - gpu.share;
    return left * 1e4 + freeGpus(room) + Math.min(0.5, room.cores / 1e5);
  }

  get #isPricing(): boolean {
    return this.#prices !== undefined && this.#priced < maxPriced;
  }

  #price(bucket: Bucket, after: Room): number | undefined {
    const prices = this.#prices;
    if (!prices || this.#priced >= maxPriced) return undefined;
    this.#priced += prices.length;
    const { shape } = bucket.place;
    return prices.price(this.#slots(bucket), this.#slotsOf(shape, after)) * priceScale;
  }

  #slots(bucket: Bucket): Uint16Array {
    return (bucket.slots ??= this.#slotsOf(bucket.place.shape, bucket.room));
  }

  #slotsOf(shape: Shape, room: Room): Uint16Array {
    const prices = this.#prices;
    if (!prices) return noSlots;
    const fitOf = (cls: RequirementClass): DeviceFit | undefined =>
      shape.mayFit(cls) ? shape.deviceFit(cls) : undefined;
    return shape.slots.get(prices.basis, roomKey(room), () => prices.slots(room, fitOf));
  }

  /** Somebody in the bucket who can take it, with devices like those that were found. */
  #placeIn({ bucket, positions }: Found, cls: RequirementClass): Placing | undefined {
    if (bucket.askers.length === 0 || bucket.place.queue.left <= 0) return undefined;
    const asker = this.#someone(bucket, cls);
    return asker && { asker, positions: sameDevices(positions, bucket.room.devices, asker.room.devices) };
  }

  /** Who came last; where times differ, who has the least that is enough. */
  #someone({ askers, hasDeadlines }: Bucket, cls: RequirementClass): Asker | undefined {
    const isPicky = cls.selector?.usesIdentity === true;
    if (!hasDeadlines && !isPicky) return askers[askers.length - 1];
    const wanted = cls.requirements.walltimeSeconds;
    let best: Asker | undefined;
    for (const asker of askers) {
      if (asker.seconds < wanted || (isPicky && !asker.worker.fits(cls))) continue;
      if (!best || asker.seconds < best.seconds) best = asker;
    }
    return best;
  }
}

function hasRoom(room: Room, { requirements: { cores, memoryMiB, diskMiB } }: RequirementClass): boolean {
  return cores <= room.cores && memoryMiB <= room.memoryMiB && diskMiB <= room.diskMiB;
}

function less(room: Room, { requirements: { cores, memoryMiB, diskMiB } }: RequirementClass): Room {
  return {
    cores: room.cores - cores,
    memoryMiB: room.memoryMiB - memoryMiB,
    diskMiB: room.diskMiB - diskMiB,
    devices: room.devices,
  };
}

function freeGpus({ devices }: Room): number {
  let free = 0;
  for (const one of devices.free) free += one;
  return free / wholeDevice;
}

function roomKey({ cores, memoryMiB, diskMiB, devices }: Room): string {
  return `${cores} ${memoryMiB} ${diskMiB} ${roomText(devices)}`;
}

function bucketText(asker: Asker): string {
  const { cores, memoryMiB, diskMiB, devices } = asker.room;
  const plain = asker.leftPlain > 0 ? '' : '!';
  if (devices.free.length === 0) return `${cores} ${memoryMiB} ${diskMiB}${plain}`;
  return `${cores} ${memoryMiB} ${diskMiB} ${roomText(devices)}${plain}`;
}
