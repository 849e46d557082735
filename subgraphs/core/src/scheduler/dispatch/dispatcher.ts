/**
 * The main loop of the leader: keeps pending acquires until jobs fit, runs passes of the matcher over the
 * windows and has the grants written. One dispatcher exists for each term of leadership.
 */
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { type DeviceLayout, hasSameDevices } from '../../gpus/capacity/device-set.js';
import type { AcquireRequest, Grant } from '../scheduler.types.js';
import type { ReadyJobsRepository } from '../cache/ready-jobs.repository.js';
import { secondsLeft } from '../cache/equivalent-workers.js';
import type { FleetWorker } from '../cache/fleet.types.js';
import type { SchedulerCache } from '../cache/scheduler-cache.js';
import type { GrantHistory } from '../cache/grant-history.js';
import type { GrantWriter } from './grant-writer.js';
import { Alternatives } from '../placement/elsewhere.js';
import { matchPass } from '../placement/matcher.js';
import type { CandidateRequest, MatcherState, PendingGrant } from '../placement/matcher.types.js';
import { WindowFeed } from '../cache/window-feed.js';
import type { RequirementClasses } from '../requirements/requirement-classes.js';
import { queueHostOf } from '../cache/host-standing.types.js';
import type { PreemptionHolds } from '../preemption/preemption-holds.js';
import { candidatesOfHosts } from './host-candidates.js';
import type { HostTests } from './host-tests.js';
import { type AcquireTimeout, type PendingAcquire, PendingAcquires } from './pending-acquires.js';
import { RepeatedOffers } from './repeated-offers.js';
import { UndeliveredGrants } from './undelivered-grants.js';
import { TaskAdmission } from './task-admission.js';
import type { SuspendedTaskFeed } from '../../tasks/control/suspended-task.types.js';
import type { LimitedTaskFeed } from '../../tasks/limits/limited-task.types.js';
import type { WorkObserver } from '../../shared/work-observer.js';

export interface DispatcherOptions {
  readonly cache: SchedulerCache;
  readonly classes: RequirementClasses;
  readonly jobs: Pick<ReadyJobsRepository, 'ready' | 'readyKinds' | 'readyByIds' | 'readyOfTask'>;
  readonly grants: GrantWriter;
  /** Tasks whose jobs are left out. */
  readonly suspendedTasks: Pick<SuspendedTaskFeed, 'get'>;
  /** Tasks with a limit on running jobs. */
  readonly limitedTasks: Pick<LimitedTaskFeed, 'get' | 'all'>;
  /** Jobs by which hosts are tested. */
  readonly tests: HostTests;
  /** Workers that are held for jobs. */
  readonly holds: PreemptionHolds;
  /** Records each grant. */
  readonly history: GrantHistory;
  readonly observer: Pick<WorkObserver, 'passEnded'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called with the jobs whose owners are over their limit. */
  readonly onThrottled: (
    jobs: readonly { readonly jobId: string; readonly share: string; readonly owner: string }[],
  ) => void;
  /** Aborted at the end of the term. */
  readonly signal: AbortSignal;
}

/** Maximum number of rounds in one pass; then the event loop continues before the next. */
const maxRounds = 4;
const shortPassMs = 5;

/** Matches ready jobs with pending acquires during one term of leadership. */
export class Dispatcher {
  readonly feed: WindowFeed;
  readonly admission: TaskAdmission;
  readonly #options: DispatcherOptions;
  readonly #pending = new PendingAcquires();
  readonly #undelivered: UndeliveredGrants;
  /** Devices of the workers with pending acquires, as they were at the time of the call. */
  readonly #devices = new WeakMap<PendingAcquire, DeviceLayout>();
  #isPassDue = false;
  #isPassing = false;
  #lastPassMs = 0;
  #isClosed = false;
  readonly #offers: RepeatedOffers;
  readonly #alternatives = new Alternatives();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    const { cache, clock, signal } = options;
    this.feed = new WindowFeed({ ...options, ledger: cache.ledger }, () => this.wake());
    this.#undelivered = new UndeliveredGrants(cache.ledger);
    this.#offers = new RepeatedOffers(clock, () => this.wake());
    const { windows } = this.feed;
    this.admission = new TaskAdmission({ ...options, ledger: cache.ledger, windows }, () => this.wake());
    const stop = cache.ledger.onReleased((workerId, taskId) => {
      if (taskId !== undefined) this.admission.check(taskId);
      const worker = cache.fleet.worker(workerId);
      if (worker?.shape.hasDevices === false && !worker.standing(clock.now().getTime()))
        cache.fleet.recentlyIdle.released(workerId, clock.monotonicMs());
    });
    signal.addEventListener('abort', () => {
      stop();
      this.#offers.stop();
      this.#end();
    });
  }

  /**
   * Returns jobs for a worker: those that fit at once, or within the timeout.
   * @throws DomainError LEADER_UNAVAILABLE when the term ends meanwhile
   */
  async acquire(request: AcquireRequest, timeout: AcquireTimeout): Promise<readonly Grant[]> {
    if (this.#options.signal.aborted || this.#isClosed) throw termEnded();
    if (timeout.signal?.aborted) return [];
    const late = this.#undelivered.removeFitting(request);
    if (late.length > 0) return late;
    const grants = await this.#pending.wait(request, timeout, () => this.wake());
    const { cache, clock } = this.#options;
    if (grants.length > 0) cache.fleet.recentlyIdle.grantsWritten(request.workerId, clock.monotonicMs());
    else this.#recordAnswer(request);
    return grants;
  }

  /** An answered host without GPUs is expected to call again, and to get jobs if it is healthy. */
  #recordAnswer(request: AcquireRequest): void {
    const { cache, clock } = this.#options;
    const worker = cache.fleet.worker(request.workerId);
    const wallMs = clock.now().getTime();
    if (worker?.shape.hasDevices !== false || worker.standing(wallMs)) return;
    const limited = limitedRequest(request, worker, wallMs);
    cache.fleet.recentlyIdle.answered(limited, clock.monotonicMs());
  }

  /** Stops granting and waits for pending writes, at an orderly end of the term. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#pending.refuseAll(termEnded());
    await this.#options.grants.idle();
  }

  /** Schedules a pass if there are pending acquires. */
  wake(): void {
    if (
      this.#isPassDue ||
      this.#pending.size === 0 ||
      !this.feed.isWarm ||
      this.#isClosed ||
      this.#options.signal.aborted
    )
      return;
    this.#isPassDue = true;
    // With thousands of pending acquires a pass takes long: other work gets as much time before the next.
    if (this.#lastPassMs > shortPassMs) setTimeout(() => void this.#passes(), this.#lastPassMs);
    else setImmediate(() => void this.#passes());
  }

  /** Removes windows of kinds without ready jobs. */
  prune(): void {
    this.feed.windows.prune();
    this.#undelivered.prune();
  }

  /** Runs passes while there is a reason; passes do not overlap, writes of grants do. */
  async #passes(): Promise<void> {
    if (this.#isPassing) return;
    this.#isPassing = true;
    try {
      while (this.#isPassDue && !this.#options.signal.aborted) {
        this.#isPassDue = false;
        await this.#pass();
      }
    } catch (error) {
      this.#options.log.error({ err: error }, 'scheduling pass failed');
      this.#pending.refuseAll(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#isPassing = false;
      if (this.#isPassDue) setImmediate(() => void this.#passes());
    }
  }

  async #pass(): Promise<void> {
    const asking = this.#waitingCandidates();
    const isRead = await this.feed.readFor(asking.map(([, { worker }]) => worker));
    const still = asking.filter(([pending]) => this.#pending.has(pending));
    const begun = this.#options.clock.monotonicMs();
    const taken = new Map<PendingAcquire, PendingGrant[]>();
    for (let round = 0; round < maxRounds; round += 1) {
      if (!this.#round(still, taken)) break;
    }
    for (const [pending, request] of still) {
      const picks = taken.get(pending);
      if (picks) this.#write(pending, picks, request.worker.shape.queue.name);
      // A window ran empty in this pass and has more jobs behind it: an empty result is not final.
      else if (isRead && this.feed.hasUnreadFor(request.worker)) this.#isPassDue = true;
      else if (!pending.waits) pending.answer([]);
    }
    this.#lastPassMs = this.#options.clock.monotonicMs() - begun;
    this.#options.observer.passEnded(this.#lastPassMs / 1000);
    this.feed.refillLow();
  }

  /**
   * Gives each candidate a fair part of the ready jobs (all that it requests while there are more behind the
   * windows); jobs with GPUs go where they fit best.
   * @returns true if anything was granted
   */
  #round(
    asking: readonly (readonly [PendingAcquire, CandidateRequest])[],
    taken: Map<PendingAcquire, PendingGrant[]>,
  ): boolean {
    const { holds } = this.#options;
    const open = asking.filter(([pending, { limit }]) => (taken.get(pending)?.length ?? 0) < limit);
    if (open.length === 0) return false;
    let ready = 0;
    for (const window of this.feed.windows.all()) ready += window.isComplete ? window.size : Infinity;
    const part = Math.max(1, Math.floor(ready / open.length));
    // Jobs without GPUs are divided among the hosts without GPUs.
    const plain = open.reduce((sum, [, { worker }]) => sum + Number(!worker.shape.hasDevices), 0);
    const ofPlain = plain === 0 ? part : Math.max(1, Math.ceil(ready / plain));
    const asked = open.map(([pending, request]): readonly [PendingAcquire, CandidateRequest] => {
      const has = taken.get(pending)?.length ?? 0;
      const left = {
        ...request,
        limit: request.limit - has,
        cpuOnlyLimit: Math.min(request.worker.shape.hasDevices ? part : ofPlain, request.limit - has),
        request: lessTaken(request.request, taken.get(pending)),
      };
      return [pending, left];
    });
    let given = false;
    for (const { minimumPriority, members } of holds.groups(asked))
      for (const [isCanaryOnly, some] of byCanary(members))
        given = this.#match(some, { minimumPriority, isCanaryOnly }, taken) || given;
    return given;
  }

  /** @param limits of the jobs that the candidates may get */
  #match(
    asking: readonly (readonly [PendingAcquire, CandidateRequest])[],
    limits: Pick<MatcherState, 'minimumPriority' | 'isCanaryOnly'>,
    taken: Map<PendingAcquire, PendingGrant[]>,
  ): boolean {
    const { cache, classes, clock } = this.#options;
    const { fleet, ledger } = cache;
    const wallMs = clock.now().getTime();
    const { windows, demand } = this.feed;
    const known = { fleet, ledger, windows, demand, alternatives: this.#alternatives, wallMs };
    const mayStart = (taskId: string): boolean => this.admission.mayStart(taskId);
    const state = { ...known, ...limits, mayStart, classOf: (id: string) => classes.get(id) };
    const requests = asking.map(([, request]) => request);
    const { picks, throttled, overLimit, ...pass } = matchPass(state, requests, clock.monotonicMs());
    const { hasDeferred, avoidsUntilMs } = pass;
    for (const { jobId, taskId } of overLimit) this.admission.forget(taskId, jobId);
    if (avoidsUntilMs < Infinity) this.#offers.after(avoidsUntilMs - wallMs);
    if (throttled.length > 0) this.#options.onThrottled(throttled);
    if (hasDeferred) this.#offers.soon();
    let given = false;
    asking.forEach(([pending], index) => {
      const found = picks[index] ?? [];
      if (found.length === 0) return;
      given = true;
      this.#beginTests(found, limits.isCanaryOnly);
      taken.set(pending, [...(taken.get(pending) ?? []), ...found]);
    });
    return given;
  }

  /** Hosts that are tested get no other job until the outcome is known. */
  #beginTests(picks: readonly PendingGrant[], isCanaryOnly: boolean | undefined): void {
    const { tests, cache } = this.#options;
    for (const { entry } of picks) {
      const worker = entry.isTest ? cache.fleet.worker(entry.workerId) : undefined;
      if (worker) tests.begin(queueHostOf(worker), entry, isCanaryOnly);
    }
  }

  /** Pending acquires with their workers; those of excluded hosts wait. */
  #waitingCandidates(): (readonly [PendingAcquire, CandidateRequest])[] {
    const { tests, clock } = this.#options;
    const { candidates, withheld, nextMs } = candidatesOfHosts(
      this.#allCandidates(),
      tests,
      clock.now().getTime(),
    );
    for (const pending of withheld) if (!pending.waits) pending.answer([]);
    if (nextMs < Infinity) this.#offers.after(nextMs);
    return candidates;
  }

  #allCandidates(): (readonly [PendingAcquire, CandidateRequest])[] {
    const { fleet } = this.#options.cache;
    const now = this.#options.clock.now().getTime();
    const found: (readonly [PendingAcquire, CandidateRequest])[] = [];
    for (const pending of this.#pending.all()) {
      const worker = fleet.worker(pending.request.workerId);
      if (!worker) {
        if (!pending.waits) pending.answer([]);
        continue;
      }
      if (pending.waits && this.#offersOld(pending, worker.devices)) {
        pending.answer([]);
        continue;
      }
      const request = limitedRequest(pending.request, worker, now);
      found.push([pending, { worker, request, limit: pending.request.count }]);
    }
    return found;
  }

  /**
   * Returns true if the worker's devices have changed since its call: it must call again with the current
   * ones.
   */
  #offersOld(pending: PendingAcquire, now: DeviceLayout): boolean {
    const offered = this.#devices.get(pending);
    if (offered !== undefined && !hasSameDevices(offered, now)) return true;
    this.#devices.set(pending, now);
    return false;
  }

  #write(pending: PendingAcquire, picks: readonly PendingGrant[], queue: string): void {
    this.#pending.dequeue(pending);
    this.#recordAnswer(lessTaken(pending.request, picks));
    this.#options.grants.write(picks, queue).then(
      (grants) => {
        this.#recordGrants(picks, grants);
        if (pending.isOver()) this.#storeUndelivered(pending.request.workerId, picks, grants);
        else if (grants.length > 0 || !pending.waits) pending.answer(grants);
        else if (this.#isClosed || this.#options.signal.aborted) pending.refuse(termEnded());
        else this.#pending.requeue(pending);
        if (grants.length < picks.length) this.wake();
      },
      (error: unknown) => {
        for (const { entry } of picks) if (entry.isTest) this.#options.tests.end(entry.jobId);
        pending.refuse(error);
      },
    );
  }

  /** Keeps grants whose call was already answered; a later call of the worker may be pending. */
  #storeUndelivered(workerId: string, picks: readonly PendingGrant[], grants: readonly Grant[]): void {
    this.#undelivered.add(workerId, picks, grants);
    for (const pending of this.#pending.all()) {
      if (pending.request.workerId !== workerId) continue;
      const late = this.#undelivered.removeFitting(pending.request);
      if (late.length > 0) pending.answer(late);
    }
  }

  #recordGrants(picks: readonly PendingGrant[], grants: readonly Grant[]): void {
    const { history, tests, clock } = this.#options;
    const granted = new Set(grants.map(({ jobId }) => jobId));
    const now = clock.monotonicMs();
    for (const { entry } of picks)
      if (granted.has(entry.jobId)) history.record(entry.share, entry.classId, now);
      else if (entry.isTest) tests.end(entry.jobId);
  }

  #end(): void {
    this.#pending.refuseAll(termEnded());
    this.feed.windows.clear();
  }
}

type Asking = readonly (readonly [PendingAcquire, CandidateRequest])[];

/** Candidates that may get any job, and those that may get a canary job. */
function byCanary(asking: Asking): readonly (readonly [boolean, Asking])[] {
  const own = asking.filter(([, { isCanaryOnly }]) => isCanaryOnly);
  if (own.length === 0) return [[false, asking]];
  return [
    [true, own],
    [false, asking.filter(([, { isCanaryOnly }]) => !isCanaryOnly)],
  ];
}

function termEnded(): DomainError {
  return new DomainError('LEADER_UNAVAILABLE', 'This process no longer leads the broker');
}

function lessTaken(request: AcquireRequest, picks: readonly PendingGrant[] | undefined): AcquireRequest {
  if (!picks || picks.length === 0) return request;
  let { cores, memoryMiB, diskMiB } = request.free;
  for (const { cls } of picks) {
    cores -= cls.requirements.cores;
    memoryMiB -= cls.requirements.memoryMiB;
    diskMiB -= cls.requirements.diskMiB;
  }
  return { ...request, free: { cores, memoryMiB, diskMiB } };
}

/** The request with the time that is left until the worker ends or is down. */
function limitedRequest(request: AcquireRequest, worker: FleetWorker, nowMs: number): AcquireRequest {
  const seconds = Math.min(request.remainingSeconds ?? Infinity, secondsLeft(worker, nowMs));
  return seconds === Infinity ? request : { ...request, remainingSeconds: seconds };
}
