/**
 * Preemption: core ends attempts of preemptible jobs for ready jobs of a higher priority class that find no
 * free capacity, in queues that allow it. Runs in the leader. A step costs nothing while no queue allows it,
 * or no such job waits.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { requestedGpus } from '../../gpus/capacity/gpu-equivalents.js';
import { isCanary } from '../../jobs/model/canary-owner.js';
import { isPreemptedIn } from '../../jobs/model/job-state.js';
import { preemptedFor } from '../../jobs/model/preempted-for.js';
import { priorityClassOf } from '../../jobs/model/priority-class.js';
import type { StoredPreemption } from '../../jobs/model/job.types.js';
import type { TransitionRequest, TransitionWriter } from '../../jobs/transitions/transition.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import { usualLongestNoticeSeconds } from '../../shared/notice.js';
import { firstOf, plural } from '../../shared/plural.js';
import { isConsidered } from '../cache/equivalent-workers.js';
import type { FleetWorker } from '../cache/fleet.types.js';
import { compareKeys } from '../cache/ready-window.js';
import { experimentOf, type ReadyWindows } from '../cache/ready-windows.js';
import type { SchedulerCache } from '../cache/scheduler-cache.js';
import type { RunningAttempt } from '../cache/scheduler-jobs.repository.js';
import { accepting } from '../placement/elsewhere.js';
import { QueueAllowance } from '../placement/queue-limits.js';
import { mayTake, mayTakeGpus, ownerMayTake } from '../placement/share-order.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { LedgerEntry, ReadyJob } from '../scheduler.types.js';
import type { PreemptionHold, PreemptionHolds } from './preemption-holds.js';
import type { PreemptionHoldsRepository } from './preemption-holds.repository.js';
import { PreemptionRates } from './preemption-rates.js';
import { CapacitySearch, couldRun, type WaitingForCapacity } from './capacity-search.js';
import { chooseVictims, lossOf, type PossibleVictim, type Victims } from './victims.js';

/** Dependencies of {@link Preemptor}. */
export interface PreemptorOptions {
  readonly cache: Pick<SchedulerCache, 'fleet' | 'ledger'>;
  readonly classes: { get(id: string): RequirementClass | undefined };
  readonly feed: {
    readonly windows: ReadyWindows;
    /** False while the windows are read again: jobs that wait are not in them. */
    readonly isWarm: boolean;
    readUnread(): Promise<void>;
  };
  readonly holds: PreemptionHolds;
  /** Keeps holds for the next leader. */
  readonly storedHolds: Pick<PreemptionHoldsRepository, 'put' | 'remove'>;
  readonly jobs: {
    runningAttempts(ids: readonly string[]): Promise<ReadonlyMap<string, RunningAttempt>>;
  };
  readonly checkpoints: {
    latestCheckpoints(ids: readonly string[]): Promise<ReadonlyMap<string, { readonly madeAt: Date }>>;
  };
  readonly writer: Pick<TransitionWriter, 'apply'>;
  /** Returns true if another job of the task may start. */
  readonly mayStart: (taskId: string) => boolean;
  /** Called when a hold has ended. */
  readonly onFreed: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Actor of the announcements. */
export const preempts = 'system:preemption';

/** Most waiting jobs in one step, and of one window. */
const mostWaiting = 50;
const mostOfWindow = 10;
/** Most attempts that are compared for one job. */
const mostPossible = 1000;
/** An attempt is not ended before it has run for this time. */
const minRunMs = 60_000;
/** Time after the grace period for which a worker is held, until it asks for the job. */
const askMs = 120_000;
/** A new leader lets workers ask first: they call again with what is free on them. */
const firstStepMs = 10_000;

/** Ends attempts for jobs of a higher class. */
export class Preemptor {
  readonly #options: PreemptorOptions;
  readonly #rates: PreemptionRates;
  readonly #beginsAtMs: number;
  /** Jobs that waited at the time of the last step: jobs that have just become ready are placed first. */
  #seen: ReadonlySet<string> = new Set();

  constructor(options: PreemptorOptions) {
    this.#options = options;
    this.#rates = new PreemptionRates(options.clock);
    this.#beginsAtMs = options.clock.monotonicMs() + firstStepMs;
  }

  /** Announces the ends that are due. @throws errors of the store */
  async step(): Promise<void> {
    const { cache, holds, storedHolds, clock, feed, onFreed } = this.#options;
    const { windows } = feed;
    if (!feed.isWarm) return;
    const isWaiting = (jobId: string): boolean => {
      for (const window of windows.all()) if (window.has(jobId)) return true;
      return false;
    };
    // A job that waits may be in none of the windows yet, after a change of the leader.
    if (!holds.isEmpty) await feed.readUnread();
    const ended = holds.prune(isWaiting, clock.now().getTime());
    if (ended.length > 0) onFreed();
    await storedHolds.remove(ended);
    const queues = [...cache.fleet.queues()].filter(
      ({ id, limits }) => limits.maxPreemptionsPerMinute !== undefined && cache.ledger.hasPreemptible(id),
    );
    if (queues.length === 0) return;
    await feed.readUnread();
    this.#restoreHolds(queues, isWaiting);
    if (clock.monotonicMs() < this.#beginsAtMs) return;
    const capacity = new CapacitySearch(cache, holds, clock.now().getTime());
    for (const waiting of this.#waiting(queues))
      if (this.#mayRun(waiting) && !capacity.isFreeFor(waiting)) await this.#preemptFor(waiting, queues);
  }

  /** Attempts whose end a former leader has announced, in case that it did not store the hold. */
  #restoreHolds(queues: readonly QueueFacts[], isWaiting: (jobId: string) => boolean): void {
    const { cache, holds, clock } = this.#options;
    const nowMs = clock.now().getTime();
    for (const queue of queues)
      for (const { workerId, preemption } of cache.ledger.preemptible(queue.id)) {
        if (!preemption || holds.of(workerId) || !isWaiting(preemption.jobId)) continue;
        const hold = holdOf(queue, preemption);
        if (nowMs < hold.untilMs) holds.add(workerId, hold);
      }
  }

  /**
   * Jobs that have waited since the last step, and for which no attempt ends yet; by their priority. Attempts
   * that do not end in time no longer count.
   */
  #waiting(queues: readonly QueueFacts[]): readonly WaitingForCapacity[] {
    const { cache, classes, feed, holds, clock } = this.#options;
    const nowMs = clock.now().getTime();
    let lowest = Infinity;
    const served = new Set<string>();
    for (const queue of queues)
      for (const { priority = 0, preemption } of cache.ledger.preemptible(queue.id)) {
        if (!preemption) lowest = Math.min(lowest, priorityClassOf(priority));
        else if (nowMs < holdOf(queue, preemption).untilMs) served.add(preemption.jobId);
      }
    const isOpen = ({ id, priority, owner }: ReadyJob): boolean =>
      priorityClassOf(priority) > lowest && !served.has(id) && !holds.isFor(id) && !isCanary({ owner });
    const found: WaitingForCapacity[] = [];
    for (const window of feed.windows.all()) {
      const cls = window.head && classes.get(window.classId);
      if (!cls || !window.head || priorityClassOf(window.head.priority) <= lowest) continue;
      if (!queues.some((queue) => mayServe(queue, window.share, cls))) continue;
      const open = window.first(mostOfWindow + served.size).filter(isOpen);
      for (const job of open.slice(0, mostOfWindow)) found.push({ job, share: window.share, cls });
    }
    const first = found.sort((a, b) => compareKeys(a.job, b.job)).slice(0, mostWaiting);
    const seen = this.#seen;
    this.#seen = new Set(first.map(({ job }) => job.id));
    return first.filter(({ job: { id } }) => seen.has(id));
  }

  /** True if the limits of the job's task, share and owner allow it to run. */
  #mayRun({ job, share: path, cls }: WaitingForCapacity): boolean {
    const { fleet, ledger } = this.#options.cache;
    const { cores, gpu } = cls.requirements;
    const [share, usage] = [fleet.share(path), ledger.shareUse(path)];
    if (job.taskId !== undefined && !this.#options.mayStart(job.taskId)) return false;
    return (
      mayTake(share, usage, cores) &&
      mayTakeGpus(share, usage, fleet.totals, requestedGpus(gpu)) &&
      ownerMayTake(share, ledger.ownerCores(path, job.owner), cores)
    );
  }

  async #preemptFor(waiting: WaitingForCapacity, queues: readonly QueueFacts[]): Promise<void> {
    for (const queue of queues) {
      const most = this.#rates.left(queue);
      const possible = most > 0 ? this.#possibleIn(queue, waiting) : [];
      if (possible.length === 0) continue;
      const attempts = await this.#options.jobs.runningAttempts(possible.map(({ jobId }) => jobId));
      const chosen = await this.#choose(waiting, most, possible, attempts);
      if (chosen && (await this.#announce(waiting, queue, chosen, attempts))) return;
    }
  }

  /**
   * Attempts of lower classes on workers that could run the job. In a queue at its limit there are none: when
   * one ends, another worker may get the next job.
   */
  #possibleIn(queue: QueueFacts, waiting: WaitingForCapacity): readonly Readonly<LedgerEntry>[] {
    const { cache, clock } = this.#options;
    if (!new QueueAllowance(queue, cache.ledger).isOpen) return [];
    const own = priorityClassOf(waiting.job.priority);
    const found: Readonly<LedgerEntry>[] = [];
    const fits = new Map<string, boolean>();
    const graceSeconds = queue.limits.maxNoticeSeconds ?? usualLongestNoticeSeconds;
    for (const entry of cache.ledger.preemptible(queue.id)) {
      const { workerId, priority = 0, state, preemption } = entry;
      if (preemption || !isPreemptedIn(state) || entry.fence === Infinity || priorityClassOf(priority) >= own)
        continue;
      let mayUse = fits.get(workerId);
      if (mayUse === undefined) {
        const worker = cache.fleet.worker(workerId);
        mayUse = worker !== undefined && this.#mayFree(worker, waiting, graceSeconds, clock.now().getTime());
        fits.set(workerId, mayUse);
      }
      if (mayUse) found.push(entry);
      if (found.length === mostPossible) break;
    }
    return found;
  }

  #mayFree(worker: FleetWorker, waiting: WaitingForCapacity, graceSeconds: number, nowMs: number): boolean {
    const { cache, holds } = this.#options;
    const { job, share, cls } = waiting;
    const { avoid } = job;
    const isAvoided = avoid && avoid.until.getTime() > nowMs && !accepting(avoid)[0](worker);
    if (isAvoided || holds.of(worker.facts.id) || worker.standing(nowMs)) return false;
    const seconds = graceSeconds + cls.requirements.walltimeSeconds;
    return couldRun(worker, cls, experimentOf(share), { ...cache, seconds, nowMs });
  }

  async #choose(
    { cls }: WaitingForCapacity,
    most: number,
    possible: readonly Readonly<LedgerEntry>[],
    attempts: ReadonlyMap<string, RunningAttempt>,
  ): Promise<Victims | undefined> {
    const { cache, checkpoints, clock } = this.#options;
    const nowMs = clock.now().getTime();
    const begun = possible.filter(({ jobId, fence }) => {
      const attempt = attempts.get(jobId);
      return attempt?.fence === fence && nowMs - attempt.begunAt.getTime() >= minRunMs;
    });
    if (begun.length === 0) return undefined;
    const latest = await checkpoints.latestCheckpoints(begun.map(({ jobId }) => jobId));
    const byWorker = new Map<FleetWorker, PossibleVictim[]>();
    for (const entry of begun) {
      const worker = cache.fleet.worker(entry.workerId);
      if (!worker) continue;
      const begunMs = attempts.get(entry.jobId)?.begunAt.getTime() ?? nowMs;
      const savedMs = Math.max(begunMs, latest.get(entry.jobId)?.madeAt.getTime() ?? 0);
      const loss = lossOf(entry, (nowMs - savedMs) / 1000, cache.fleet.totals);
      byWorker.set(worker, [...(byWorker.get(worker) ?? []), { entry, loss }]);
    }
    const { sharedDevices } = cache.fleet;
    return chooseVictims(cls, most, { ledger: cache.ledger, sharedDevices, byWorker });
  }

  /** Announces the ends in the store. @returns false if none of the attempts runs any more */
  async #announce(
    { job }: WaitingForCapacity,
    queue: QueueFacts,
    { worker, victims }: Victims,
    attempts: ReadonlyMap<string, RunningAttempt>,
  ): Promise<boolean> {
    const { cache, holds, storedHolds, writer, clock, log } = this.#options;
    const preemption = { jobId: job.id, priority: job.priority };
    const ended = preemptedFor(preemption);
    const at = clock.now();
    const requests = victims.flatMap(({ entry: { jobId, fence } }): TransitionRequest[] => {
      const state = attempts.get(jobId)?.state;
      const common = { jobId, by: 'broker', actor: preempts, reason: ended, fence } as const;
      return state ? [{ ...common, from: state, to: state, change: { preemption } }] : [];
    });
    const announced = await this.#write(requests);
    if (announced.length === 0) return false;
    for (const { jobId, fence = 0 } of announced)
      cache.ledger.announceEnd(jobId, fence, { ...preemption, at });
    const hold = holdOf(queue, { ...preemption, at });
    holds.add(worker.facts.id, hold);
    await storedHolds.put([worker.facts.id, hold], at);
    this.#rates.record(queue, announced.length);
    const ids = announced.map(({ jobId }) => jobId);
    log.info({ jobId: job.id, preempted: ids, queue: queue.name, host: worker.facts.host }, 'jobs preempted');
    const reason = `${plural(ids.length, 'job')} on host ${worker.facts.host} will end for it: ${firstOf(ids, 3)}`;
    const common = { jobId: job.id, by: 'broker', actor: preempts, reason } as const;
    await writer.apply([{ ...common, from: 'ACTIVATED', to: 'ACTIVATED' }]);
    return true;
  }

  /** Writes announcements, again for payloads that have started meanwhile. @returns the written ones */
  async #write(requests: readonly TransitionRequest[]): Promise<readonly TransitionRequest[]> {
    const outcomes = await this.#options.writer.apply(requests);
    const written = requests.filter((_request, index) => outcomes[index]?.applied);
    const started = requests.flatMap((request, index): TransitionRequest[] => {
      const outcome = outcomes[index];
      if (request.from !== 'STARTING' || !outcome || outcome.applied) return [];
      const isStarted = outcome.current?.state === 'RUNNING' && outcome.current.fence === request.fence;
      return isStarted ? [{ ...request, from: 'RUNNING', to: 'RUNNING' }] : [];
    });
    return started.length === 0 ? written : [...written, ...(await this.#write(started))];
  }
}

/** True if jobs of the class may go to workers of the queue. */
function mayServe(queue: QueueFacts, share: string, cls: RequirementClass): boolean {
  const { queue: bound = queue.name } = cls.requirements;
  return bound === queue.name && isConsidered(queue, experimentOf(share), cls);
}

/** The hold of a worker whose attempt ends: until it has had the time to end it, and to ask for the job. */
function holdOf({ limits }: QueueFacts, { jobId, priority, at }: StoredPreemption): PreemptionHold {
  const graceMs = (limits.maxNoticeSeconds ?? usualLongestNoticeSeconds) * 1000;
  return { jobId, priority, untilMs: at.getTime() + graceMs + askMs };
}
