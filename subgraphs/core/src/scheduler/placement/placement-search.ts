/**
 * Finds where a job goes during one pass: the best placement within the GPU limit of its share, apart from
 * hosts that are reserved for other jobs, and from hosts and sites that the job avoids.
 */
import { experimentOf } from '../cache/ready-windows.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { ReadyJob } from '../scheduler.types.js';
import { chargeOf } from './capacity-rules.js';
import { Elsewhere } from './elsewhere.js';
import type { CandidateRequest, MatcherState } from './matcher.types.js';
import type { Placement } from './placement.types.js';
import type { PlacementRound } from './placement-round.js';
import { ReservedForCpuHosts } from './recently-idle-hosts.js';
import { mayTakeGpus } from './share-order.js';

/** Share of a job. */
export interface JobShare {
  readonly path: string;
  readonly experiment: string;
}

/** The pass to search in. */
export interface PlacementSearchOptions {
  readonly state: MatcherState;
  readonly requests: readonly CandidateRequest[];
  readonly sinceMs: number;
  readonly round: PlacementRound;
}

/** Searches among the candidates of one pass. */
export class PlacementSearch {
  readonly #state: MatcherState;
  readonly #requests: readonly CandidateRequest[];
  readonly #sinceMs: number;
  readonly #round: PlacementRound;
  readonly #elsewhere: Elsewhere;
  /** Created when the best placement of a job without GPUs is first a host with GPUs. */
  #reserved: ReservedForCpuHosts | undefined;
  /** Number of jobs of a class and experiment that may still go to hosts with GPUs. */
  readonly #surplus = new Map<RequirementClass, Map<string, number>>();
  /** True if jobs without GPUs were deferred for recently idle hosts. */
  hasDeferred = false;

  constructor({ state, requests, sinceMs, round }: PlacementSearchOptions) {
    this.#state = state;
    this.#requests = requests;
    this.#sinceMs = sinceMs;
    this.#round = round;
    this.#elsewhere = new Elsewhere(state.fleet, state.wallMs ?? Infinity, state.alternatives);
  }

  /** Returns the best placement for a job of the class within the GPU limit of the share. */
  find(cls: RequirementClass, { path, experiment }: JobShare): Placement | undefined {
    const { gpu } = cls.requirements;
    const find = (one: RequirementClass): Placement | undefined =>
      this.#round.find(one, experiment, () => this.#isSurplus(cls, experiment));
    const placement = find(cls);
    if (!placement || !gpu || this.mayTakeGpus(path, chargeOf(gpu, placement))) return placement;
    // Optional GPUs are left out; other jobs wait until the share uses less.
    return gpu.optional ? find(withoutGpus(cls)) : undefined;
  }

  /** The placement, or one on a host that the job does not avoid; undefined if it waits for one. */
  elsewhereIfAvoided(
    job: ReadyJob,
    cls: RequirementClass,
    share: JobShare,
    anywhere: Placement,
  ): Placement | undefined {
    const destination = this.#elsewhere.destinationOf(job, cls, share.experiment);
    if (!destination) return anywhere;
    const { accepts, isExhausted } = destination;
    if (accepts(anywhere.candidate.worker)) return anywhere;
    if (isExhausted || !this.#elsewhere.maySearch()) return undefined;
    const { gpu } = cls.requirements;
    const found = this.#round.findAccepted(cls, share.experiment, ({ worker }) => accepts(worker));
    if (!found) {
      destination.isExhausted = true;
      return undefined;
    }
    if (gpu) return this.mayTakeGpus(share.path, chargeOf(gpu, found)) ? found : undefined;
    const isOnGpuHost = found.candidate.worker.shape.hasDevices;
    return isOnGpuHost && !this.#isSurplus(cls, share.experiment) ? undefined : found;
  }

  /** Returns true if the GPU limit of the share allows the charge. */
  mayTakeGpus(path: string, gpus: number): boolean {
    const { fleet, ledger } = this.#state;
    return mayTakeGpus(fleet.share(path), ledger.shareUse(path), fleet.totals, gpus);
  }

  /**
   * Returns true if a job without GPUs does not fit on recently idle hosts, because they are reserved for
   * jobs before it.
   */
  #isSurplus(cls: RequirementClass, experiment: string): boolean {
    let ofClass = this.#surplus.get(cls);
    if (!ofClass) this.#surplus.set(cls, (ofClass = new Map()));
    let left = ofClass.get(experiment);
    if (left === undefined) {
      this.#reserved ??= this.#reservedHosts();
      const ready = this.#reserved.isEmpty ? Infinity : this.#readyOf(cls, experiment);
      left = ready - this.#reserved.reserve(cls, experiment, ready).jobs;
    }
    ofClass.set(experiment, left - 1);
    if (left < 1) this.hasDeferred = true;
    return left >= 1;
  }

  #reservedHosts(): ReservedForCpuHosts {
    const { fleet, ledger } = this.#state;
    const asking = new Set(
      fleet.recentlyIdle.size === 0 ? [] : this.#requests.map(({ worker }) => worker.facts.id),
    );
    const world = { fleet, ledger, nowMs: this.#sinceMs };
    return new ReservedForCpuHosts(world, (id) => asking.has(id), this.#round.deferred());
  }

  /** Number of ready jobs of the class; infinite if a window has more behind it. */
  #readyOf({ id }: RequirementClass, experiment: string): number {
    let ready = 0;
    for (const [path, windows] of this.#state.windows.byShare()) {
      if (experimentOf(path) !== experiment) continue;
      // Limited tasks have windows of their own.
      for (const { classId, size, isComplete } of windows.values())
        if (classId === id) ready += isComplete ? size : Infinity;
    }
    return ready;
  }
}

const cpuOnlyClasses = new WeakMap<RequirementClass, RequirementClass>();

/** The class without its optional GPUs. */
function withoutGpus(cls: RequirementClass): RequirementClass {
  let plain = cpuOnlyClasses.get(cls);
  if (!plain) {
    const { gpu: _gpu, ...requirements } = cls.requirements;
    cpuOnlyClasses.set(cls, (plain = { ...cls, requirements }));
  }
  return plain;
}
