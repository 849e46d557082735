/**
 * One pass of the matcher: assigns ready jobs to candidates. Pure, except that it updates the given windows
 * and ledger as it decides; it reads no clock. Shares are served in their order; inside a share, priority
 * comes before age across all classes, and a class that does not fit a worker is skipped for it, whatever its
 * number of jobs.
 */
import TinyQueue from 'tinyqueue';
import { namesOneDevice } from '../../gpus/device-identity.js';
import { requestedGpus, gpusOf } from '../../gpus/capacity/gpu-equivalents.js';
import { PlacementRound } from './placement-round.js';
import { type MinimumDemand, minimumDemand } from './capacity-rules.js';
import type { Candidate, Placement } from './placement.types.js';
import {
  type Continuity,
  type ContinuityPolicy,
  effectiveContinuity,
  type StatedContinuity,
} from '../../shared/continuity.js';
import type { AcquireRequest, LedgerEntry, ReadyJob } from '../scheduler.types.js';
import { freeCapacity } from './free-capacity.js';
import type { GpuDemand } from '../cache/gpu-demand.js';
import type { Fleet } from '../cache/fleet.js';
import type { Ledger } from '../cache/ledger.js';
import { ReservedForCpuHosts } from './recently-idle-hosts.js';
import { compareKeys, type ReadyWindow } from '../cache/ready-window.js';
import { experimentOf, type ReadyWindows } from '../cache/ready-windows.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import {
  compareStandings,
  mayTake,
  mayTakeGpus,
  ownerMayTake,
  type ShareStanding,
  standing,
} from './share-order.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { FleetWorker } from '../cache/fleet.types.js';

/** A worker with a pending acquire, and the maximum number of jobs for it in this pass. */
export interface CandidateRequest {
  readonly worker: FleetWorker;
  readonly request: AcquireRequest;
  readonly limit: number;
  /** Maximum number of jobs without GPUs, which are spread over all candidates; by default the same limit. */
  readonly cpuOnlyLimit?: number;
}

/** A job chosen for a worker; it has left its window and is booked in the ledger, but not written yet. */
export interface PendingGrant {
  readonly entry: LedgerEntry;
  readonly cls: RequirementClass;
}

/** Result of a pass. */
export interface PassResult {
  /** Picks for each request, in the order of the requests. */
  readonly picks: readonly (readonly PendingGrant[])[];
  /** Jobs of owners over their limit; they have left their windows. */
  readonly throttled: readonly { readonly jobId: string; readonly share: string; readonly owner: string }[];
  /** True if jobs without GPUs were deferred for recently idle hosts without GPUs. */
  readonly hasDeferred: boolean;
}

/** Input of a pass, updated by it. */
export interface MatcherState {
  readonly fleet: Fleet;
  readonly windows: ReadyWindows;
  readonly ledger: Ledger;
  /** Demand by which capacities are priced; without it there are no prices. */
  readonly demand?: GpuDemand;
  /** Returns a class, or undefined if it is not loaded. */
  classOf(classId: string): RequirementClass | undefined;
}

/**
 * A window in a heap, with its head when it was added: heads only move backwards during a pass, so a stale
 * entry is added again.
 */
interface Queued {
  readonly window: ReadyWindow;
  readonly cls: RequirementClass;
  readonly head: ReadyJob;
}

interface ShareView {
  readonly path: string;
  readonly experiment: string;
  readonly heap: TinyQueue<Queued>;
}

/** Runs a pass. `sinceMs` is the time recorded in new ledger entries. */
export function matchPass(
  state: MatcherState,
  requests: readonly CandidateRequest[],
  sinceMs: number,
): PassResult {
  return new Pass(state, requests, sinceMs).run();
}

const noOutputs: readonly string[] = [];

/** One pass: job by job in the order of shares, each to its best placement. */
class Pass {
  readonly #state: MatcherState;
  readonly #requests: readonly CandidateRequest[];
  readonly #sinceMs: number;
  readonly #round: PlacementRound;
  readonly #picks: PendingGrant[][];
  readonly #throttled: { jobId: string; share: string; owner: string }[] = [];
  /** Created when the best placement of a job without GPUs is first a host with GPUs. */
  #reserved: ReservedForCpuHosts | undefined;
  /** Number of jobs of a class and experiment that may still go to hosts with GPUs. */
  readonly #surplus = new Map<RequirementClass, Map<string, number>>();
  #hasDeferred = false;
  /**
   * Shares that may still get jobs, with their standing when they were added: usage only grows during a pass.
   */
  readonly #shares = new TinyQueue<{ readonly share: ShareView; readonly at: ShareStanding }>([], (a, b) =>
    compareStandings(a.at, b.at),
  );

  constructor(state: MatcherState, requests: readonly CandidateRequest[], sinceMs: number) {
    this.#state = state;
    this.#requests = requests;
    this.#sinceMs = sinceMs;
    const { demand, fleet } = state;
    this.#round = new PlacementRound(demand && { demand, hosts: () => fleet.hostKinds() });
    this.#picks = requests.map(() => []);
  }

  run(): PassResult {
    const classes = this.#collect();
    if (classes.size > 0) this.#addCandidates(minimumDemand([...classes, ...this.#priced()]));
    if (this.#round.isOpen) this.#serve();
    return { picks: this.#picks, throttled: this.#throttled, hasDeferred: this.#hasDeferred };
  }

  /** Collects the shares with ready jobs. @returns their classes */
  #collect(): ReadonlySet<RequirementClass> {
    const classes = new Set<RequirementClass>();
    for (const [path, windows] of this.#state.windows.byShare()) {
      const share: ShareView = {
        path,
        experiment: experimentOf(path),
        heap: new TinyQueue<Queued>([], (a, b) => compareKeys(a.head, b.head)),
      };
      for (const window of windows.values()) {
        const cls = window.head && this.#state.classOf(window.classId);
        if (!cls || !window.head) continue;
        share.heap.push({ window, cls, head: window.head });
        classes.add(cls);
      }
      if (share.heap.length > 0) this.#shares.push({ share, at: this.#standing(path) });
    }
    return classes;
  }

  /** The classes by which capacities are priced. */
  #priced(): readonly RequirementClass[] {
    return this.#state.demand?.classes().map(({ cls }) => cls) ?? [];
  }

  /** @param least the demand below which a worker is ignored in this pass */
  #addCandidates(least: MinimumDemand): void {
    const { ledger } = this.#state;
    this.#requests.forEach((candidateRequest, index) => {
      const { worker, request, limit } = candidateRequest;
      const left = Math.min(request.count, limit);
      const { queue } = worker.shape;
      const most = queue.limits.maxRunningJobs;
      const queueLeft = most === undefined ? Infinity : most - ledger.queueJobs(queue.id);
      if (worker.facts.state !== 'READY' || left <= 0 || queueLeft <= 0) return;
      const capacity = freeCapacity(this.#state, candidateRequest, least);
      if (!capacity) return;
      const candidate: Candidate = {
        index,
        worker,
        request,
        capacity,
        left,
        leftCpuOnly: Math.min(left, candidateRequest.cpuOnlyLimit ?? left),
        seconds: request.remainingSeconds ?? Infinity,
      };
      this.#round.addCandidate(candidate, queueLeft);
    });
    this.#round.ready();
  }

  #serve(): void {
    while (this.#round.isOpen) {
      const share = this.#nextShare();
      if (!share) break;
      if (this.#placeNextOf(share)) this.#shares.push({ share, at: this.#standing(share.path) });
    }
  }

  #standing(path: string): ShareStanding {
    const { fleet, ledger } = this.#state;
    return standing(fleet.share(path), ledger.shareUse(path), fleet.totals);
  }

  #nextShare(): ShareView | undefined {
    return this.#shares.pop()?.share;
  }

  /** Places the first job of the share that fits a candidate. @returns false if the share has none */
  #placeNextOf(share: ShareView): boolean {
    for (;;) {
      const queued = share.heap.pop();
      if (!queued) return false;
      const job = queued.window.head;
      if (!job) continue;
      if (job !== queued.head) {
        share.heap.push({ ...queued, head: job });
        continue;
      }
      const { cls } = queued;
      // A class that does not fit now does not fit later in this pass: capacity and quota only shrink.
      if (this.#round.isExhausted(cls, share.experiment) || !this.#mayTake(share.path, cls)) continue;
      const placement = this.#find(cls, share);
      if (!placement) continue;
      queued.window.shift();
      const next = queued.window.head;
      if (next) share.heap.push({ ...queued, head: next });
      // The job is already granted and seemed ready by an old event. If it becomes ready again, a new event
      // adds it.
      if (this.#state.ledger.get(job.id)) continue;
      if (this.#isOwnerOver(share.path, job, cls)) {
        this.#throttled.push({ jobId: job.id, share: share.path, owner: job.owner });
        continue;
      }
      this.#grant(job, cls, share.path, placement);
      return true;
    }
  }

  /** Returns the best placement for a job of the class within the GPU limit of the share. */
  #find(cls: RequirementClass, { path, experiment }: ShareView): Placement | undefined {
    const { gpu } = cls.requirements;
    const find = (one: RequirementClass): Placement | undefined =>
      this.#round.find(one, experiment, () => this.#isSurplus(cls, experiment));
    const placement = find(cls);
    if (!placement || !gpu || this.#mayTakeGpus(path, chargeOf(gpu, placement))) return placement;
    // Optional GPUs are left out; other jobs wait until the share uses less.
    return gpu.optional ? find(withoutGpus(cls)) : undefined;
  }

  #mayTakeGpus(path: string, gpus: number): boolean {
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
    if (left < 1) this.#hasDeferred = true;
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

  /** Number of ready jobs of the class; more than the known ones if a window has more behind it. */
  #readyOf({ id }: RequirementClass, experiment: string): number {
    let ready = 0;
    for (const [path, windows] of this.#state.windows.byShare()) {
      const window = experimentOf(path) === experiment ? windows.get(id) : undefined;
      if (window) ready += window.isComplete ? window.size : Infinity;
    }
    return ready;
  }

  #mayTake(path: string, { requirements: { cores, gpu } }: RequirementClass): boolean {
    const { fleet, ledger } = this.#state;
    return (
      mayTake(fleet.share(path), ledger.shareUse(path), cores) && this.#mayTakeGpus(path, requestedGpus(gpu))
    );
  }

  #isOwnerOver(path: string, job: ReadyJob, cls: RequirementClass): boolean {
    const { fleet, ledger } = this.#state;
    const share = fleet.share(path);
    return (
      share.ownerLimitCores !== undefined &&
      !ownerMayTake(share, ledger.ownerCores(path, job.owner), cls.requirements.cores)
    );
  }

  #grant(job: ReadyJob, cls: RequirementClass, share: string, placement: Placement): void {
    const { requirements } = cls;
    const { worker, index } = placement.candidate;
    const { ids } = worker.devices;
    const entry: LedgerEntry = {
      jobId: job.id,
      workerId: worker.facts.id,
      queueId: worker.shape.queue.id,
      share,
      owner: job.owner,
      classId: cls.id,
      requirements,
      deviceIds: placement.positions.map((position) => ids[position] ?? ''),
      gpus: chargeOf(requirements.gpu, placement),
      attempt: job.attempt + 1,
      ...continuityOf(requirements.continuity, worker.shape.queue.continuity),
      fence: Infinity,
      state: 'SENT',
      since: this.#sinceMs,
      ...(job.hasNoOutputs ? { outputs: noOutputs } : {}),
    };
    this.#state.ledger.add(entry);
    this.#round.reserve(placement, cls);
    if (entry.deviceIds.length > 0) this.#withhold(entry, placement);
    this.#picks[index]?.push({ entry, cls });
  }

  /** Withholds the devices of a job from the other workers of the host. */
  #withhold(
    { workerId, deviceIds, requirements: { gpu } }: LedgerEntry,
    { candidate, positions }: Placement,
  ): void {
    const { fleet } = this.#state;
    const { ids, set: shape } = candidate.worker.devices;
    for (const id of gpu ? fleet.sharedDevices.of(workerId) : []) {
      const neighbour = fleet.worker(id);
      const gpus = new Set(gpu?.exclusive ? positions.map((position) => shape.gpus[position]) : []);
      const others = ids.filter((_id, position) => gpus.has(shape.gpus[position]));
      if (neighbour && gpu)
        this.#round.withhold(neighbour, [...deviceIds, ...others].filter(namesOneDevice), gpu);
    }
  }
}

/** Charge for the devices of a placement, in whole GPUs. */
function chargeOf(gpu: StoredGpuRequirement | undefined, { candidate, positions }: Placement): number {
  const { facts } = candidate.worker.devices.set;
  return gpusOf(
    gpu,
    positions.map((position) => facts[position]),
  );
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

/** Times without contact of a grant, if they are not the defaults. */
function continuityOf(
  stated: StatedContinuity | undefined,
  policy: ContinuityPolicy | undefined,
): { readonly continuity?: Continuity } {
  return stated || policy ? { continuity: effectiveContinuity(stated, policy) } : {};
}
