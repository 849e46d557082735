/**
 * Costs of a job of a class in each bucket of a placement round: first by its devices, then by the capacity
 * it takes from other classes.
 */
import { deviceChoices } from '../../gpus/capacity/device-choice.js';
import { type DeviceMatch, rankTogether } from '../../gpus/verdict/device-match.js';
import { withoutDevices } from '../../gpus/capacity/device-capacity.js';
import type { PlacementPrices } from './placement-prices.js';
import { hasCapacity, remainingCapacity, rankOf, simpleCost } from './capacity-rules.js';
import type { FreeCapacity, Bucket } from './placement.types.js';
import type { CandidateGroup } from './candidate-group.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';

/** A bucket in which the next job of a class fits, with its cost. */
export interface ScoredBucket {
  readonly group: CandidateGroup;
  readonly bucket: Bucket;
  /**
   * Positions of the devices in the bucket's capacity; if left out, they are chosen for the selected
   * candidate.
   */
  readonly positions?: readonly number[];
  readonly cost: number;
}

/** A bucket to judge, with the devices of its shape that serve. */
interface JudgedBucket {
  readonly group: CandidateGroup;
  readonly bucket: Bucket;
  readonly match: DeviceMatch | undefined;
}

/** Weights of the cost terms: tier dominates preferences and rank, rank dominates price. */
export const tierWeight = 1e13;
export const rankWeight = 1e9;
/** Cost of one step of a preference score: more than any rank but rare ones, and a multiple of a rank. */
const stepWeight = 5 * rankWeight;
/** Steps of a preference score. All of them cost less than a tier. */
const scoreSteps = 1000;

/** Computes the costs of buckets. */
export class PlacementCosts {
  readonly #prices: PlacementPrices;

  constructor(prices: PlacementPrices) {
    this.#prices = prices;
  }

  /** Cost of a job of the class in the bucket, or undefined if it does not fit. */
  judge(
    cls: RequirementClass,
    experiment: string,
    { group, bucket, match }: JudgedBucket,
  ): ScoredBucket | undefined {
    const { gpu } = cls.requirements;
    if (!hasCapacity(bucket.capacity, cls) || !group.allowance.admits(experiment, cls)) return undefined;
    if (gpu === undefined && !bucket.takesCpuOnly) return undefined;
    // Optional GPUs are left out if their charge, which is at most one for each, may exceed the limit.
    const mayHaveGpus = !gpu?.optional || group.allowance.admitsGpus(experiment, gpu.count);
    const preferred = preferenceCost(cls, group);
    const best = gpu && match && mayHaveGpus && this.#best(cls, gpu, match, group, bucket);
    if (best) return preferred === 0 ? best : { ...best, cost: best.cost + preferred };
    if (gpu !== undefined && !gpu.optional) return undefined;
    // A job without GPUs prefers hosts without devices, then those with the fewest free devices.
    const tier = (gpu === undefined ? 0 : 1) + (group.shape.hasDevices ? 1 : 0);
    const cost = group.shape.hasDevices
      ? (this.#prices.price({ shape: group.shape, bucket }, () => remainingCapacity(bucket.capacity, cls)) ??
        simpleCost(bucket))
      : 0;
    return { group, bucket, positions: [], cost: tier * tierWeight + preferred + cost };
  }

  /** The best devices of the bucket's capacity. */
  #best(
    cls: RequirementClass,
    gpu: StoredGpuRequirement,
    match: DeviceMatch,
    group: CandidateGroup,
    bucket: Bucket,
  ): ScoredBucket | undefined {
    if (!this.#prices.areKnown && gpu.share === undefined) {
      const rank = rankOf(gpu, match, bucket.capacity);
      return rank === undefined ? undefined : { group, bucket, cost: rank * rankWeight + simpleCost(bucket) };
    }
    let best: ScoredBucket | undefined;
    for (const positions of deviceChoices(gpu, match, bucket.capacity.devices)) {
      const rank = rankTogether(match, positions);
      const after = (): FreeCapacity => {
        const capacity = remainingCapacity(bucket.capacity, cls);
        return { ...capacity, devices: withoutDevices(gpu, capacity.devices, positions) };
      };
      const left =
        gpu.share === undefined ? 0 : (bucket.capacity.devices.free[positions[0] ?? 0] ?? 0) - gpu.share;
      const cost =
        rank * rankWeight +
        (this.#prices.price({ shape: group.shape, bucket }, after) ?? left * 1e4 + simpleCost(bucket));
      if (!best || cost < best.cost) best = { group, bucket, positions, cost };
      // Without prices the first choice is the best.
      if (!this.#prices.areKnown) break;
    }
    return best;
  }
}

/** Minimum cost of a job of the class in any bucket of the group. */
export function leastCost(
  cls: RequirementClass,
  group: CandidateGroup,
  match: DeviceMatch | undefined,
): number {
  const { gpu } = cls.requirements;
  const preferred = preferenceCost(cls, group);
  if (gpu && match) return (match.ranks[match.positions[0] ?? 0] ?? 0) * rankWeight + preferred;
  return ((gpu === undefined ? 0 : 1) + (group.shape.hasDevices ? 1 : 0)) * tierWeight + preferred;
}

/** Cost of the preferences that the workers of the group do not meet; 0 for a class without any. */
function preferenceCost(cls: RequirementClass, group: CandidateGroup): number {
  if (!cls.preferences) return 0;
  return Math.round((1 - group.preferenceScore(cls)) * scoreSteps) * stepWeight;
}
