/**
 * Buckets of one candidate group in the order in which they are filled: by free devices, then by free cores,
 * smallest first.
 */
import { wholeDevicesOf } from './capacity-rules.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { Bucket } from './placement.types.js';

/** Non-empty buckets in fill order. */
export class OrderedBuckets {
  /** By free devices; each sorted by cores. */
  readonly #levels: Bucket[][] = [];

  /** Adds a bucket that has received a candidate. */
  add(bucket: Bucket): void {
    const level = (this.#levels[bucket.wholeFree] ??= []);
    level.splice(firstWithCores(level, bucket.capacity.cores), 0, bucket);
  }

  /** Removes an empty bucket. */
  remove(bucket: Bucket): void {
    const level = this.#levels[bucket.wholeFree];
    const at = level?.indexOf(bucket, firstWithCores(level, bucket.capacity.cores)) ?? -1;
    if (at >= 0) level?.splice(at, 1);
  }

  /** Returns true if any bucket has the minimum cores and free devices for a job of the class. */
  mayHold({ requirements: { cores, gpu } }: RequirementClass): boolean {
    for (let free = wholeDevicesOf(gpu); free < this.#levels.length; free += 1) {
      const level = this.#levels[free];
      if ((level?.[level.length - 1]?.capacity.cores ?? 0) >= cores) return true;
    }
    return false;
  }

  /**
   * Visits the buckets with enough cores, memory and disk for a job of the class and at least `devices` free
   * devices, until one is accepted.
   */
  first({ requirements }: RequirementClass, devices: number, accepts: (bucket: Bucket) => boolean): void {
    const { cores, memoryMiB, diskMiB } = requirements;
    for (let free = devices; free < this.#levels.length; free += 1) {
      const level = this.#levels[free];
      if (!level) continue;
      for (let at = firstWithCores(level, cores); at < level.length; at += 1) {
        const bucket = level[at];
        if (!bucket || bucket.capacity.memoryMiB < memoryMiB || bucket.capacity.diskMiB < diskMiB) continue;
        if (accepts(bucket)) return;
      }
    }
  }
}

/** The first index with enough cores. */
function firstWithCores(level: readonly Bucket[], cores: number): number {
  let [low, high] = [0, level.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((level[middle]?.capacity.cores ?? 0) < cores) low = middle + 1;
    else high = middle;
  }
  return low;
}
