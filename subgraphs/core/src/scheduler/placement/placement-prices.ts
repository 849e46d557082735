/** Prices of placements in one pass, computed with a bounded amount of work. */
import type { DeviceMatch } from '../../gpus/verdict/device-match.js';
import { capacityKey, simpleCost } from './capacity-rules.js';
import type { FreeCapacity, Bucket } from './placement.types.js';
import { type GpuDemand, type HostKind, Prices } from '../cache/gpu-demand.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { Shape } from '../cache/fleet.types.js';

/** Basis of prices. */
export interface Pricing {
  readonly demand: GpuDemand;
  /** The kinds of hosts of the whole fleet. */
  readonly hosts: () => readonly HostKind[];
}

/** A bucket with the shape of its candidates. */
export interface ShapedBucket {
  readonly shape: Shape;
  readonly bucket: Bucket;
}

/** Maximum work for prices in one pass; later placements use the simple order. */
const maxPriced = 1_500_000;
/** Maximum number of distinct capacities: for more, prices would take longer than the pass. */
const maxPricedBuckets = 4096;
const priceScale = 1e8;
/** For equal prices, the smallest free capacity wins, so that whole hosts stay whole. */
const tieWeight = 1e-3;
/** Work for slots, relative to the work for a price. */
const slotsWork = 4;

/**
 * Prices of one pass. When the budget is used up, earlier decisions stay and later ones use the simple order.
 */
export class PlacementPrices {
  readonly #pricing: Pricing | undefined;
  readonly #slots = new Map<Bucket, Uint16Array>();
  #prices: Prices | undefined;
  #work = 0;

  /** @param pricing without it there are no prices */
  constructor(pricing?: Pricing) {
    this.#pricing = pricing;
  }

  /** True if prices are available at this moment. */
  get areKnown(): boolean {
    return this.#prices !== undefined;
  }

  /** Computes prices from the capacity of all buckets with devices, if there is a choice among them. */
  begin(buckets: readonly ShapedBucket[]): void {
    const { demand, hosts } = this.#pricing ?? {};
    if (!demand || !hosts || demand.classes().length === 0) return;
    if (buckets.length < 2 || buckets.length > maxPricedBuckets) return;
    const prices = (this.#prices = new Prices(demand, hosts()));
    for (const at of buckets) {
      prices.add(this.#slotsIn(at, prices), at.bucket.candidates.length);
      this.#bound();
      if (!this.areKnown) return;
    }
  }

  /** Counts a visit of a bucket. */
  countVisit(): void {
    this.#work += 1;
  }

  /**
   * Loss if the capacity of a candidate of the bucket shrinks, or undefined without prices.
   * @param after the remaining capacity; computed only if needed
   */
  price(at: ShapedBucket, after: () => FreeCapacity): number | undefined {
    const prices = this.#prices;
    if (!prices) return undefined;
    this.#work += prices.length;
    const price = prices.price(this.#slotsIn(at, prices), this.#slotsOf(at.shape, after(), prices));
    this.#bound();
    return price * priceScale + simpleCost(at.bucket) * tieWeight;
  }

  #bound(): void {
    if (this.#work > maxPriced) this.#prices = undefined;
  }

  #slotsIn({ shape, bucket }: ShapedBucket, prices: Prices): Uint16Array {
    let slots = this.#slots.get(bucket);
    if (!slots) this.#slots.set(bucket, (slots = this.#slotsOf(shape, bucket.capacity, prices)));
    return slots;
  }

  #slotsOf(shape: Shape, capacity: FreeCapacity, prices: Prices): Uint16Array {
    const matchOf = (cls: RequirementClass): DeviceMatch | undefined =>
      shape.mayFit(cls) ? shape.deviceMatch(cls) : undefined;
    return shape.slots.get(prices.basis, capacityKey(capacity), () => {
      this.#work += slotsWork * prices.length;
      return prices.slots(capacity, matchOf);
    });
  }
}
