/**
 * One pass of the matcher: assigns ready jobs to candidates. Pure, except that it updates the given windows
 * and ledger as it decides; it reads no clock. Shares are served in their order; inside a share, priority
 * comes before age across all classes, and a class that does not fit a worker is skipped for it, whatever its
 * number of jobs.
 */
import TinyQueue from 'tinyqueue';
import { namesOneDevice } from '../../gpus/device-identity.js';
import { requestedGpus } from '../../gpus/capacity/gpu-equivalents.js';
import { isCanary } from '../../jobs/model/canary-owner.js';
import { PlacementRound } from './placement-round.js';
import { chargeOf, type MinimumDemand, minimumDemand } from './capacity-rules.js';
import type { Candidate, Placement } from './placement.types.js';
import {
  type Continuity,
  type ContinuityPolicy,
  effectiveContinuity,
  type StatedContinuity,
} from '../../shared/continuity.js';
import type { LedgerEntry, ReadyJob } from '../scheduler.types.js';
import { freeCapacity } from './free-capacity.js';
import type { CandidateRequest, MatcherState, PassResult, PendingGrant } from './matcher.types.js';
import { type JobShare, PlacementSearch } from './placement-search.js';
import { compareKeys, type ReadyWindow } from '../cache/ready-window.js';
import { experimentOf } from '../cache/ready-windows.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import { compareStandings, mayTake, ownerMayTake, type ShareStanding, standing } from './share-order.js';

/**
 * A window in a heap, with its head when it was added: heads only move backwards during a pass, so a stale
 * entry is added again.
 */
interface Queued {
  readonly window: ReadyWindow;
  readonly cls: RequirementClass;
  readonly head: ReadyJob;
}

interface ShareView extends JobShare {
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
  readonly #overLimit: { jobId: string; taskId: string }[] = [];
  readonly #search: PlacementSearch;
  /** Ready jobs that found no other host; they return to their windows after the pass. */
  readonly #passedOver = new Map<ReadyWindow, ReadyJob[]>();
  #avoidsUntilMs = Infinity;
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
    this.#search = new PlacementSearch({ state, requests, sinceMs, round: this.#round });
  }

  run(): PassResult {
    const classes = this.#collect();
    this.#round.distinguish(this.#state.fleet.preferenceTurns.next(classes));
    if (classes.size > 0) this.#addCandidates(minimumDemand([...classes, ...this.#priced()]));
    if (this.#round.isOpen) this.#serve();
    for (const [window, jobs] of this.#passedOver) window.passOver(jobs);
    return {
      picks: this.#picks,
      throttled: this.#throttled,
      overLimit: this.#overLimit,
      hasDeferred: this.#search.hasDeferred,
      avoidsUntilMs: this.#avoidsUntilMs,
    };
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
        if (!cls || !window.head || !this.#mayCome(window.head)) continue;
        share.heap.push({ window, cls, head: window.head });
        classes.add(cls);
      }
      if (share.heap.length > 0) this.#shares.push({ share, at: this.#standing(path) });
    }
    return classes;
  }

  /**
   * Held workers get no job of a lower priority than the one that they are held for, and hosts that canary
   * jobs test get no other job.
   */
  #mayCome({ priority, owner }: ReadyJob): boolean {
    const { minimumPriority = -Infinity, isCanaryOnly } = this.#state;
    return priority >= minimumPriority && (isCanaryOnly !== true || isCanary({ owner }));
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
      if (worker.facts.state !== 'READY' || left <= 0) return;
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
      this.#round.addCandidate(candidate, ledger);
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
        if (this.#mayCome(job)) share.heap.push({ ...queued, head: job });
        continue;
      }
      const { cls } = queued;
      // A class that does not fit now does not fit later in this pass: capacity and quota only shrink.
      if (this.#round.isExhausted(cls, share.experiment) || !this.#mayTake(share.path, cls)) continue;
      const anywhere = this.#search.find(cls, share);
      if (!anywhere) continue;
      queued.window.shift();
      const next = queued.window.head;
      if (next && this.#mayCome(next)) share.heap.push({ ...queued, head: next });
      // The job is already granted and seemed ready by an old event. If it becomes ready again, a new event
      // adds it.
      if (this.#state.ledger.get(job.id)) continue;
      if (this.#isTaskOver(job)) continue;
      if (this.#isOwnerOver(share.path, job, cls)) {
        this.#throttled.push({ jobId: job.id, share: share.path, owner: job.owner });
        continue;
      }
      const placement = this.#search.elsewhereIfAvoided(job, cls, share, anywhere);
      if (!placement) {
        this.#passOver(queued.window, job);
        continue;
      }
      this.#grant(job, cls, share, placement);
      return true;
    }
  }

  #passOver(window: ReadyWindow, job: ReadyJob): void {
    const jobs = this.#passedOver.get(window);
    if (jobs) jobs.push(job);
    else this.#passedOver.set(window, [job]);
    this.#avoidsUntilMs = Math.min(this.#avoidsUntilMs, job.avoid?.until.getTime() ?? Infinity);
  }

  #mayTake(path: string, { requirements: { cores, gpu } }: RequirementClass): boolean {
    const { fleet, ledger } = this.#state;
    return (
      mayTake(fleet.share(path), ledger.shareUse(path), cores) &&
      this.#search.mayTakeGpus(path, requestedGpus(gpu))
    );
  }

  #isTaskOver({ id: jobId, taskId }: ReadyJob): boolean {
    if (taskId === undefined || this.#state.mayStart?.(taskId) !== false) return false;
    this.#overLimit.push({ jobId, taskId });
    return true;
  }

  #isOwnerOver(path: string, job: ReadyJob, cls: RequirementClass): boolean {
    const { fleet, ledger } = this.#state;
    const share = fleet.share(path);
    return (
      share.ownerLimitCores !== undefined &&
      !ownerMayTake(share, ledger.ownerCores(path, job.owner), cls.requirements.cores)
    );
  }

  #grant(job: ReadyJob, cls: RequirementClass, { path, experiment }: JobShare, placement: Placement): void {
    const { requirements } = cls;
    const gpus = chargeOf(requirements.gpu, placement);
    const { worker, index } = placement.candidate;
    const { ids } = worker.devices;
    const preference = worker.preference(cls);
    const entry: LedgerEntry = {
      jobId: job.id,
      workerId: worker.facts.id,
      queueId: worker.shape.queue.id,
      share: path,
      owner: job.owner,
      classId: cls.id,
      ...(job.taskId === undefined ? {} : { taskId: job.taskId }),
      requirements,
      deviceIds: placement.positions.map((position) => ids[position] ?? ''),
      gpus,
      ...(job.priority === 0 ? {} : { priority: job.priority }),
      attempt: job.attempt + 1,
      ...continuityOf(requirements.continuity, worker.shape.queue.continuity),
      fence: Infinity,
      state: 'SENT',
      since: this.#sinceMs,
      ...(job.hasNoOutputs ? { outputs: noOutputs } : {}),
      ...(this.#requests[index]?.isTest ? { isTest: true } : {}),
      ...(preference ? { preference } : {}),
    };
    this.#state.ledger.add(entry);
    this.#round.reserve(placement, cls, experiment, gpus);
    if (entry.deviceIds.length > 0) this.#withhold(entry, placement);
    const { generation } = job;
    this.#picks[index]?.push({ entry, cls, ...(generation !== undefined && { generation }) });
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

/** Times without contact of a grant, if they are not the defaults. */
function continuityOf(
  stated: StatedContinuity | undefined,
  policy: ContinuityPolicy | undefined,
): { readonly continuity?: Continuity } {
  return stated || policy ? { continuity: effectiveContinuity(stated, policy) } : {};
}
