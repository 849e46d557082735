/**
 * The candidates of a pass, in buckets of equal free capacity, and the best placement for a job of a class.
 * With prices, a class visits each bucket once and keeps the ones that fit, by cost. Without prices, or if
 * they would take too long, buckets are visited in the same order for all classes: the smallest free capacity
 * first, so that whole hosts stay whole.
 */
import TinyQueue from 'tinyqueue';
import { chooseDevices } from '../../gpus/capacity/device-choice.js';
import type { DeviceMatch } from '../../gpus/verdict/device-match.js';
import { sameDevices, withoutDevices, withoutOthers } from '../../gpus/capacity/device-capacity.js';
import { PlacementCosts, type ScoredBucket, leastCost, rankWeight, tierWeight } from './placement-costs.js';
import { PlacementPrices, type Pricing } from './placement-prices.js';
import {
  remainingCapacity,
  capacityHash,
  chargeOf,
  pickCandidate,
  hasPerHostSelector,
  wholeFree,
} from './capacity-rules.js';
import type { Candidate, Placement, Bucket } from './placement.types.js';
import { QueueAllowance, type QueueSums } from './queue-limits.js';
import { bucketOf, type CandidateGroup, CandidateGroups } from './candidate-group.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { PreferenceTurn } from '../cache/preference-turns.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { FleetWorker } from '../cache/fleet.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';

/** A candidate with its group. */
interface GroupedCandidate {
  readonly candidate: Candidate;
  readonly group: CandidateGroup;
}

/** The groups that a class may use, the progress of its search, and the results. */
interface ClassSearch {
  readonly cls: RequirementClass;
  readonly experiment: string;
  readonly groups: {
    readonly group: CandidateGroup;
    readonly match: DeviceMatch | undefined;
    /** Minimum cost of a bucket of the group. */
    readonly least: number;
    /** Minimum cost by the remaining capacity. */
    now: number;
    at: number;
  }[];
  readonly found: TinyQueue<ScoredBucket>;
}

/** A job to place in a bucket. */
interface Wanted {
  readonly cls: RequirementClass;
  readonly experiment: string;
  readonly match: DeviceMatch | undefined;
  readonly accepts?: (candidate: Candidate) => boolean;
}

/** A possible placement of a job. */
interface ScoredPlacement {
  readonly placement: Placement;
  readonly cost: number;
}

/** Finds and books placements among the candidates of one pass. */
export class PlacementRound {
  #groups = new CandidateGroups();
  readonly #allowances = new Map<string, QueueAllowance>();
  readonly #searches = new Map<RequirementClass, Map<string, ClassSearch>>();
  readonly #exhausted = new Map<RequirementClass, Set<string>>();
  readonly #grouped = new Map<FleetWorker, GroupedCandidate>();
  readonly #prices: PlacementPrices;
  readonly #costs: PlacementCosts;
  #openCandidates = 0;
  /** True if a class with a per-host selector was placed in this round. */
  #hasPerHostSelectors = false;

  /** @param pricing without it there are no prices */
  constructor(pricing?: Pricing) {
    this.#prices = new PlacementPrices(pricing);
    this.#costs = new PlacementCosts(this.#prices);
  }

  /** Distinguishes the candidates by preferences. Called before candidates are added. */
  distinguish(turn: PreferenceTurn): void {
    this.#groups = new CandidateGroups(turn);
  }

  /**
   * Adds a candidate, unless its queue may run no more jobs; the later of two requests of one worker replaces
   * the earlier.
   */
  addCandidate(candidate: Candidate, sums: QueueSums): void {
    const allowance = this.#allowanceOf(candidate.worker.shape.queue, sums);
    if (!allowance.isOpen) return;
    const group = this.#groups.groupOf(candidate, allowance);
    const before = this.#grouped.get(candidate.worker);
    if (before) this.#leave(before.group, before.candidate);
    else this.#openCandidates += 1;
    this.#grouped.set(candidate.worker, { candidate, group });
    this.#addToBucket(group, candidate);
  }

  /** Called when all candidates are added: computes prices if there is a choice. */
  ready(): void {
    if (this.#openCandidates < 2) return;
    const withDevices = this.#groups.all.filter(({ shape }) => shape.hasDevices);
    this.#prices.begin(
      withDevices.flatMap(({ shape, buckets }) =>
        [...buckets.values()].flat().map((bucket) => ({ shape, bucket })),
      ),
    );
  }

  /** True if any candidate may still get a job. */
  get isOpen(): boolean {
    return this.#openCandidates > 0;
  }

  /** Returns true if the class fits no candidate any more in this pass. */
  isExhausted(cls: RequirementClass, experiment: string): boolean {
    return this.#exhausted.get(cls)?.has(experiment) ?? false;
  }

  /**
   * Returns the best placement for a job of the class, or undefined if it fits no candidate; then the class
   * is exhausted.
   * @param mayHaveGpus returns true if a job without GPUs may go to a host with GPUs; called if that is the
   *   best placement
   */
  find(
    cls: RequirementClass,
    experiment: string,
    mayHaveGpus: () => boolean = () => true,
  ): Placement | undefined {
    const search = this.#searchFor(cls, experiment);
    const { gpu } = cls.requirements;
    // Shares fit into many different partly used devices, so those are always compared one by one.
    const isCompared = this.#prices.areKnown || gpu?.share !== undefined;
    const placement = isCompared ? this.#findByCost(search) : this.#findInOrder(search);
    // Hosts without GPUs come first: if the best host has some, no other fits.
    const isOnGpuHost = gpu === undefined && placement?.candidate.worker.shape.hasDevices === true;
    if (placement && (!isOnGpuHost || mayHaveGpus())) return placement;
    const exhausted = this.#exhausted.get(cls);
    if (exhausted) exhausted.add(experiment);
    else this.#exhausted.set(cls, new Set([experiment]));
    return undefined;
  }

  /**
   * Returns the best placement for one job of the class that may not go to every candidate, or undefined if
   * none of the accepted ones has free capacity. The class is not exhausted by it.
   */
  findAccepted(
    cls: RequirementClass,
    experiment: string,
    accepts: (candidate: Candidate) => boolean,
  ): Placement | undefined {
    let best: ScoredPlacement | undefined;
    for (const { group, match } of this.#searchFor(cls, experiment).groups) {
      for (const bucket of [...group.buckets.values()].flat()) {
        if (bucket.candidates.length === 0) continue;
        const found = this.#costs.judge(cls, experiment, { group, bucket, match });
        if (!found || found.cost >= (best?.cost ?? Infinity)) continue;
        const placement = this.#placementIn(found, { cls, experiment, match, accepts });
        if (placement) best = { placement, cost: found.cost };
      }
    }
    return best?.placement;
  }

  /**
   * Hosts without GPUs that have had their part of the CPU-only jobs of this round, and may get more in the
   * next.
   */
  deferred(): readonly Candidate[] {
    const found: Candidate[] = [];
    for (const {
      candidate,
      group: { shape, allowance },
    } of this.#grouped.values())
      if (candidate.leftCpuOnly <= 0 && candidate.left > 0 && allowance.isOpen && !shape.hasDevices)
        found.push(candidate);
    return found;
  }

  /** Books the capacity of a job. @param gpus its charge, in whole GPUs */
  reserve(
    { candidate, positions }: Placement,
    cls: RequirementClass,
    experiment: string,
    gpus: number,
  ): void {
    const { gpu, cores } = cls.requirements;
    const group = this.#grouped.get(candidate.worker)?.group;
    if (!group) throw new Error(`worker ${candidate.worker.facts.id} is no candidate`);
    this.#leave(group, candidate);
    const capacity = remainingCapacity(candidate.capacity, cls);
    candidate.capacity =
      gpu && positions.length > 0
        ? { ...capacity, devices: withoutDevices(gpu, capacity.devices, positions) }
        : capacity;
    candidate.left -= 1;
    if (gpu === undefined) candidate.leftCpuOnly -= 1;
    group.allowance.take(experiment, cores, gpus);
    // Prices stay as they were at the beginning of the pass, so that early and late costs are comparable.
    const isOpen = candidate.left > 0 && capacity.cores > 0 && capacity.memoryMiB > 0;
    if (isOpen) this.#addToBucket(group, candidate);
    if (!isOpen) this.#openCandidates -= 1;
  }

  /** Withholds devices that another worker of the host has granted. */
  withhold(worker: FleetWorker, deviceIds: readonly string[], gpu: StoredGpuRequirement): void {
    const grouped = this.#grouped.get(worker);
    const same = worker.devices.ids.flatMap((id, position) => (deviceIds.includes(id) ? [position] : []));
    if (!grouped || same.length === 0) return;
    const { candidate, group } = grouped;
    const isOpen = this.#leave(group, candidate);
    candidate.capacity = {
      ...candidate.capacity,
      devices: withoutOthers(gpu, candidate.capacity.devices, same),
    };
    if (isOpen) this.#addToBucket(group, candidate);
  }

  #allowanceOf(queue: QueueFacts, sums: QueueSums): QueueAllowance {
    let allowance = this.#allowances.get(queue.id);
    if (!allowance) this.#allowances.set(queue.id, (allowance = new QueueAllowance(queue, sums)));
    return allowance;
  }

  #addToBucket(group: CandidateGroup, candidate: Candidate): void {
    let bucket = bucketOf(group, candidate);
    if (!bucket) {
      const { capacity } = candidate;
      bucket = {
        capacity,
        wholeFree: wholeFree(capacity),
        takesCpuOnly: candidate.leftCpuOnly > 0,
        candidates: [],
        hasDeadlines: false,
      };
      const sameHash = group.buckets.get(capacityHash(capacity));
      if (sameHash) sameHash.push(bucket);
      else group.buckets.set(capacityHash(capacity), [bucket]);
    }
    // A bucket without a suitable candidate (by time or selector) may have one now.
    const mayBeAnother = bucket.hasDeadlines || candidate.seconds !== Infinity || this.#hasPerHostSelectors;
    if (bucket.candidates.length === 0 || mayBeAnother) group.log.push(bucket);
    if (candidate.seconds !== Infinity) bucket.hasDeadlines = true;
    if (bucket.candidates.length === 0) group.order.add(bucket);
    bucket.candidates.push(candidate);
  }

  /** @returns true if it was there */
  #leave(group: CandidateGroup, candidate: Candidate): boolean {
    const bucket = bucketOf(group, candidate);
    const at = bucket?.candidates.lastIndexOf(candidate) ?? -1;
    if (!bucket || at < 0) return false;
    const last = bucket.candidates.pop();
    if (last && last !== candidate) bucket.candidates[at] = last;
    if (bucket.candidates.length === 0) group.order.remove(bucket);
    return true;
  }

  #searchFor(cls: RequirementClass, experiment: string): ClassSearch {
    let ofClass = this.#searches.get(cls);
    if (!ofClass) this.#searches.set(cls, (ofClass = new Map()));
    this.#hasPerHostSelectors ||= hasPerHostSelector(cls);
    let search = ofClass.get(experiment);
    if (!search) {
      const groups = this.#groups.all.flatMap((group) => {
        const { shape, experiments } = group;
        const admits = shape.queue.experiments;
        const isAdmitted = admits.length === 0 || admits.includes(experiment);
        if (!isAdmitted || experiments?.includes(experiment) === false) return [];
        // Capacity only shrinks in a pass: a group without capacity now is not checked again.
        if (!group.order.mayHold(cls) || !shape.mayFit(cls)) return [];
        const match = shape.deviceMatch(cls);
        const least = leastCost(cls, group, match);
        return [{ group, match, least, now: least, at: 0 }];
      });
      groups.sort((a, b) => a.least - b.least);
      search = { cls, experiment, groups, found: new TinyQueue<ScoredBucket>([], (a, b) => a.cost - b.cost) };
      ofClass.set(experiment, search);
    }
    return search;
  }

  /**
   * Returns the first placement in the order of all groups; the best one for groups and hosts with several
   * kinds of devices.
   */
  #findInOrder({ cls, experiment, groups }: ClassSearch): Placement | undefined {
    let best: ScoredPlacement | undefined = undefined as ScoredPlacement | undefined;
    const { gpu } = cls.requirements;
    for (const entry of groups) {
      const { group, match, least } = entry;
      // Groups are sorted by their minimum cost.
      if (best && least >= best.cost) break;
      if (!group.allowance.admits(experiment, cls) || (best && entry.now >= best.cost)) continue;
      let cheapest = Infinity;
      const visit = (bucket: Bucket): boolean => {
        const found = this.#costs.judge(cls, experiment, { group, bucket, match });
        if (!found) return false;
        cheapest = Math.min(cheapest, found.cost);
        const isBest = found.cost < (best?.cost ?? Infinity);
        const placement = isBest ? this.#placementIn(found, { cls, experiment, match }) : undefined;
        if (placement) best = { placement, cost: found.cost };
        // Later ones have more free capacity, and no better devices.
        return (
          found.cost < entry.now + rankWeight &&
          (placement !== undefined || found.cost >= (best?.cost ?? Infinity))
        );
      };
      group.order.first(cls, gpu && match ? gpu.count : 0, visit);
      if (gpu?.optional && match && (best?.cost ?? Infinity) >= tierWeight) group.order.first(cls, 0, visit);
      // Capacity only shrinks in a pass: a placement that is gone does not come back.
      if (cheapest < Infinity)
        entry.now = Math.max(entry.now, Math.floor(cheapest / rankWeight) * rankWeight);
    }
    return best?.placement;
  }

  #findByCost(search: ClassSearch): Placement | undefined {
    const { cls, experiment } = search;
    for (const entry of search.groups) {
      const { group, match } = entry;
      for (; entry.at < group.log.length; entry.at += 1) {
        const bucket = group.log[entry.at];
        this.#prices.countVisit();
        if (!bucket || bucket.candidates.length === 0) continue;
        const found = this.#costs.judge(cls, experiment, { group, bucket, match });
        if (found) search.found.push(found);
      }
    }
    for (let top = search.found.peek(); top; top = search.found.peek()) {
      const match = cls.requirements.gpu && top.group.shape.deviceMatch(cls);
      const placement = this.#placementIn(top, { cls, experiment, match });
      if (placement) return placement;
      search.found.pop();
      const withoutGpus = this.#withoutGpus(top, { cls, experiment, match });
      if (withoutGpus) search.found.push(withoutGpus);
    }
    return undefined;
  }

  /** The bucket for a job whose optional GPUs its queue no longer allows. */
  #withoutGpus(
    { group, bucket, positions }: ScoredBucket,
    { cls, experiment, match }: Wanted,
  ): ScoredBucket | undefined {
    const { gpu } = cls.requirements;
    if (!gpu?.optional || positions?.length === 0 || group.allowance.admitsGpus(experiment, gpu.count))
      return undefined;
    return this.#costs.judge(cls, experiment, { group, bucket, match });
  }

  /** Returns a candidate of the bucket that can take the job, with devices equivalent to those found. */
  #placementIn(
    { group, bucket, positions }: ScoredBucket,
    { cls, experiment, match, accepts }: Wanted,
  ): Placement | undefined {
    if (bucket.candidates.length === 0 || !group.allowance.admits(experiment, cls)) return undefined;
    const candidate = pickCandidate(bucket, cls, accepts);
    if (!candidate) return undefined;
    const { gpu } = cls.requirements;
    const chosen = positions
      ? sameDevices(positions, bucket.capacity.devices, candidate.capacity.devices)
      : gpu && match && chooseDevices(gpu, match, candidate.capacity.devices);
    if (!chosen) return undefined;
    const placement = { candidate, positions: chosen };
    return group.allowance.admitsGpus(experiment, chargeOf(gpu, placement)) ? placement : undefined;
  }
}
