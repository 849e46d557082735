/**
 * The board of a pass: those who ask, in buckets of equal room, and the best place on it for a job of a class. Where there are prices a class
 * looks at each bucket once and keeps those with room by their cost; where there are none, or they would take too long, buckets are gone
 * through in one order that is the same for all classes: the least free first, so that whole hosts stay whole.
 */
import { chooseDevices } from '../../gpus/capacity/device-choice.js';
import type { DeviceFit } from '../../gpus/verdict/device-fit.js';
import { sameDevices, withoutDevices, withoutOthers } from '../../gpus/capacity/device-capacity.js';
import { BoardCosts, type Found, leastCost, rankWeight, tierWeight } from './placement-costs.js';
import { BoardPrices, type Pricing } from './placement-prices.js';
import { less, roomNumber, someone, tellsApart, wholeFree } from './capacity-order.js';
import type { Asker, Placing, Bucket } from './placement.types.js';
import { BucketOrder } from './bucket-order.js';
import { Heap } from './heap.js';
import { bucketOf, type Place } from './candidate-group.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { FleetWorker, Shape } from '../cache/fleet.types.js';

/** A worker that asks, and where it stands. */
interface Seat {
  readonly asker: Asker;
  readonly place: Place;
}

/** Where a class may go, how far it has looked there, and what it found. */
interface Front {
  readonly cls: RequirementClass;
  readonly places: {
    readonly place: Place;
    readonly fit: DeviceFit | undefined;
    /** What a bucket of the place costs at least. */
    readonly least: number;
    /** The same by what is left of its room. */
    now: number;
    at: number;
  }[];
  readonly found: Heap<Found>;
}

/** Where a job would go. */
interface Placed {
  readonly placing: Placing;
  readonly cost: number;
}

/** See the head of this file. */
export class Board {
  readonly #places: Place[] = [];
  readonly #placesByShape = new Map<Shape, Map<string, Place>>();
  readonly #queues = new Map<string, { left: number }>();
  readonly #fronts = new Map<RequirementClass, Map<string, Front>>();
  readonly #parked = new Map<RequirementClass, Set<string>>();
  readonly #seats = new Map<FleetWorker, Seat>();
  readonly #prices: BoardPrices;
  readonly #costs: BoardCosts;
  #askers = 0;
  /** Whether a class was looked for that tells workers of one shape apart. */
  #isAnyPicky = false;

  /** @param pricing left out: places are not priced */
  constructor(pricing?: Pricing) {
    this.#prices = new BoardPrices(pricing);
    this.#costs = new BoardCosts(this.#prices);
  }

  /** Takes in a worker that asks; of two questions of one worker the later holds. @param queueLeft jobs that its queue may still run */
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
      place = { shape, experiments, queue, log: [], buckets: new Map(), order: new BucketOrder() };
      ofShape.set(key, place);
      this.#places.push(place);
    }
    const before = this.#seats.get(asker.worker);
    if (before) this.#leave(before.place, before.asker);
    else this.#askers += 1;
    this.#seats.set(asker.worker, { asker, place });
    this.#put(place, asker);
  }

  /** All are in: prices are made where there is a choice. */
  ready(): void {
    if (this.#askers < 2) return;
    const withDevices = this.#places.filter(({ shape }) => shape.hasDevices);
    this.#prices.begin(
      withDevices.flatMap(({ shape, buckets }) =>
        [...buckets.values()].flat().map((bucket) => ({ shape, bucket })),
      ),
    );
  }

  /** Whether anybody may get something still. */
  get isOpen(): boolean {
    return this.#askers > 0;
  }

  /** Whether the class was found to fit nobody any more in this pass. */
  isParked(cls: RequirementClass, experiment: string): boolean {
    return this.#parked.get(cls)?.has(experiment) ?? false;
  }

  /**
   * The best place for a job of the class, or undefined if nobody who asks has room; then the class is parked.
   * @param mayHaveGpus whether a job without GPUs may go to a host with GPUs, asked when that is the best that there is
   */
  find(
    cls: RequirementClass,
    experiment: string,
    mayHaveGpus: () => boolean = () => true,
  ): Placing | undefined {
    const front = this.#front(cls, experiment);
    const { gpu } = cls.requirements;
    // A share may go into what is left of a device, and there are many such: they are always compared one by one.
    const isCompared = this.#prices.areKnown || gpu?.share !== undefined;
    const placing = isCompared ? this.#findByCost(front) : this.#findInOrder(front);
    // Hosts without GPUs come first: where the best has some, there is no other.
    const isOnGpuHost = gpu === undefined && placing?.asker.worker.shape.hasDevices === true;
    if (placing && (!isOnGpuHost || mayHaveGpus())) return placing;
    const parked = this.#parked.get(cls);
    if (parked) parked.add(experiment);
    else this.#parked.set(cls, new Set([experiment]));
    return undefined;
  }

  /** Hosts without GPUs that have had their part of what is spread, and may get more in another round. */
  resting(): readonly Asker[] {
    const found: Asker[] = [];
    for (const {
      asker,
      place: { shape, queue },
    } of this.#seats.values())
      if (asker.leftPlain <= 0 && asker.left > 0 && queue.left > 0 && !shape.hasDevices) found.push(asker);
    return found;
  }

  /** Takes the room of a job. */
  take({ asker, positions }: Placing, cls: RequirementClass): void {
    const { gpu } = cls.requirements;
    const place = this.#seats.get(asker.worker)?.place;
    if (!place) throw new Error(`worker ${asker.worker.facts.id} does not ask`);
    this.#leave(place, asker);
    const room = less(asker.room, cls);
    asker.room =
      gpu && positions.length > 0 ? { ...room, devices: withoutDevices(gpu, room.devices, positions) } : room;
    asker.left -= 1;
    if (gpu === undefined) asker.leftPlain -= 1;
    place.queue.left -= 1;
    // Prices stay those of the beginning of the pass, so that what is looked at early and late can be compared.
    const isOpen = asker.left > 0 && room.cores > 0 && room.memoryMiB > 0;
    if (isOpen) this.#put(place, asker);
    if (!isOpen) this.#askers -= 1;
  }

  /** Another worker of its host has given these devices to a job. */
  withhold(worker: FleetWorker, deviceIds: readonly string[], gpu: StoredGpuRequirement): void {
    const seat = this.#seats.get(worker);
    const same = worker.devices.ids.flatMap((id, position) => (deviceIds.includes(id) ? [position] : []));
    if (!seat || same.length === 0) return;
    const { asker, place } = seat;
    const isOpen = this.#leave(place, asker);
    asker.room = { ...asker.room, devices: withoutOthers(gpu, asker.room.devices, same) };
    if (isOpen) this.#put(place, asker);
  }

  #put(place: Place, asker: Asker): void {
    let bucket = bucketOf(place, asker);
    if (!bucket) {
      const { room } = asker;
      bucket = {
        room,
        wholeFree: wholeFree(room),
        takesPlain: asker.leftPlain > 0,
        askers: [],
        hasDeadlines: false,
      };
      const alike = place.buckets.get(roomNumber(room));
      if (alike) alike.push(bucket);
      else place.buckets.set(roomNumber(room), [bucket]);
    }
    // A bucket in which a class found nobody who has the time, or whom it takes, may have somebody now.
    const mayBeAnother = bucket.hasDeadlines || asker.seconds !== Infinity || this.#isAnyPicky;
    if (bucket.askers.length === 0 || mayBeAnother) place.log.push(bucket);
    if (asker.seconds !== Infinity) bucket.hasDeadlines = true;
    if (bucket.askers.length === 0) place.order.add(bucket);
    bucket.askers.push(asker);
  }

  /** @returns whether it was there */
  #leave(place: Place, asker: Asker): boolean {
    const bucket = bucketOf(place, asker);
    const at = bucket?.askers.lastIndexOf(asker) ?? -1;
    if (!bucket || at < 0) return false;
    const last = bucket.askers.pop();
    if (last && last !== asker) bucket.askers[at] = last;
    if (bucket.askers.length === 0) place.order.remove(bucket);
    return true;
  }

  #front(cls: RequirementClass, experiment: string): Front {
    let ofClass = this.#fronts.get(cls);
    if (!ofClass) this.#fronts.set(cls, (ofClass = new Map()));
    this.#isAnyPicky ||= tellsApart(cls);
    let front = ofClass.get(experiment);
    if (!front) {
      const places = this.#places.flatMap((place) => {
        const { shape, experiments } = place;
        const admits = shape.queue.experiments;
        const isAdmitted = admits.length === 0 || admits.includes(experiment);
        if (!isAdmitted || experiments?.includes(experiment) === false) return [];
        // Room only shrinks in a pass: who has none now is not looked at again.
        if (!place.order.mayHold(cls) || !shape.mayFit(cls)) return [];
        const fit = shape.deviceFit(cls);
        const least = leastCost(cls, shape, fit);
        return [{ place, fit, least, now: least, at: 0 }];
      });
      places.sort((a, b) => a.least - b.least);
      front = { cls, places, found: new Heap((a, b) => a.cost - b.cost) };
      ofClass.set(experiment, front);
    }
    return front;
  }

  /** The first in the order of all places; of places, and of hosts with several kinds of devices, the one that serves best. */
  #findInOrder({ cls, places }: Front): Placing | undefined {
    let best: Placed | undefined = undefined as Placed | undefined;
    const { gpu } = cls.requirements;
    for (const entry of places) {
      const { place, fit, least } = entry;
      // Places come by what they cost at least.
      if (best && least >= best.cost) break;
      if (place.queue.left <= 0 || (best && entry.now >= best.cost)) continue;
      let cheapest = Infinity;
      const visit = (bucket: Bucket): boolean => {
        const found = this.#costs.judge(cls, { place, bucket, fit });
        if (!found) return false;
        cheapest = Math.min(cheapest, found.cost);
        const placing = found.cost < (best?.cost ?? Infinity) ? this.#placeIn(found, cls, fit) : undefined;
        if (placing) best = { placing, cost: found.cost };
        // Those that come later have more free, and no better devices.
        return (
          found.cost < entry.now + rankWeight &&
          (placing !== undefined || found.cost >= (best?.cost ?? Infinity))
        );
      };
      place.order.first(cls, gpu && fit ? gpu.count : 0, visit);
      if (gpu?.optional && fit && (best?.cost ?? Infinity) >= tierWeight) place.order.first(cls, 0, visit);
      // Room only shrinks in a pass: what is gone now does not come again.
      if (cheapest < Infinity)
        entry.now = Math.max(entry.now, Math.floor(cheapest / rankWeight) * rankWeight);
    }
    return best?.placing;
  }

  #findByCost(front: Front): Placing | undefined {
    for (const entry of front.places) {
      const { place, fit } = entry;
      for (; entry.at < place.log.length; entry.at += 1) {
        const bucket = place.log[entry.at];
        this.#prices.noteLook();
        if (!bucket || bucket.askers.length === 0) continue;
        const found = this.#costs.judge(front.cls, { place, bucket, fit });
        if (found) front.found.push(found);
      }
    }
    for (let top = front.found.peek(); top; top = front.found.peek()) {
      const fit = front.cls.requirements.gpu && top.place.shape.deviceFit(front.cls);
      const placing = this.#placeIn(top, front.cls, fit);
      if (placing) return placing;
      front.found.pop();
    }
    return undefined;
  }

  /** Somebody in the bucket who can take it, with devices like those that were found. */
  #placeIn(
    { place, bucket, positions }: Found,
    cls: RequirementClass,
    fit: DeviceFit | undefined,
  ): Placing | undefined {
    if (bucket.askers.length === 0 || place.queue.left <= 0) return undefined;
    const asker = someone(bucket, cls);
    if (!asker) return undefined;
    const { gpu } = cls.requirements;
    if (positions)
      return { asker, positions: sameDevices(positions, bucket.room.devices, asker.room.devices) };
    const chosen = gpu && fit ? chooseDevices(gpu, fit, asker.room.devices) : undefined;
    return chosen && { asker, positions: chosen };
  }
}
