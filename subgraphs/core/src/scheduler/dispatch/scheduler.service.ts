/** The scheduler as the rest of core uses it: jobs for workers, why a job waits, usage of shares. */
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import type { TransitionWriter } from '../../jobs/transitions/transition.types.js';
import type { AcquireRequest, Grant } from '../scheduler.types.js';
import type { ReadyJobsRepository } from '../cache/ready-jobs.repository.js';
import type { SchedulerJobsRepository } from '../cache/scheduler-jobs.repository.js';
import type { SchedulerCache } from '../cache/scheduler-cache.js';
import { Dispatcher } from './dispatcher.js';
import { GrantWriter } from './grant-writer.js';
import type { BrokerLeadership } from '../leader/leadership.js';
import type { Usage } from '../cache/usage.js';
import { GrantHistory } from '../cache/grant-history.js';
import { type WaitingJobs, WaitingJobsCounter } from '../demand/waiting-jobs.js';
import {
  JobExplainer,
  type JobExplainerOptions,
  type RequestedRequirements,
} from '../explain/job-explainer.js';
import type { PendingFacts, WaitingJob } from '../explain/pending.types.js';
import type { RequirementClasses } from '../requirements/requirement-classes.js';
import type { HostTests } from './host-tests.js';
import { grantLost, type GrantRef, type RequeueGrants } from './requeue-grants.js';
import { PreemptionHolds } from '../preemption/preemption-holds.js';
import type { PreemptionHoldsRepository } from '../preemption/preemption-holds.repository.js';
import { Preemptor, type PreemptorOptions } from '../preemption/preemptor.js';
import { Throttle } from './throttle.js';
import type { FollowedChange } from '../../tasks/control/followed-tasks.js';
import type { LimitedTask, LimitedTaskFeed } from '../../tasks/limits/limited-task.types.js';
import type { SuspendedTask, SuspendedTaskFeed } from '../../tasks/control/suspended-task.types.js';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import type { WorkObserver } from '../../shared/work-observer.js';

export interface SchedulerOptions extends Pick<
  JobExplainerOptions,
  'unreachableSince' | 'silenceOf' | 'readyCount'
> {
  readonly cache: SchedulerCache;
  readonly classes: RequirementClasses;
  readonly jobs: SchedulerJobsRepository;
  readonly readyJobs: ReadyJobsRepository;
  readonly leadership: BrokerLeadership;
  readonly writer: TransitionWriter;
  readonly requeueGrants: RequeueGrants;
  readonly checkpoints: PreemptorOptions['checkpoints'];
  readonly storedHolds: PreemptionHoldsRepository;
  readonly observer: Pick<WorkObserver, 'passEnded' | 'grantsWritten'>;
  readonly suspendedTasks: SuspendedTaskFeed;
  readonly limitedTasks: LimitedTaskFeed;
  readonly tests: HostTests;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  /** Interval at which shares, queues and throttled jobs are checked, in milliseconds. */
  readonly tickMs?: number;
}

/** A call of `acquire` with its timeout and signal. */
export interface AcquireCall {
  readonly request: AcquireRequest;
  readonly waitSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** Parts of one term of leadership. */
interface Term {
  readonly dispatcher: Dispatcher;
  readonly throttle: Throttle;
  readonly preemptor: Preemptor;
  readonly firstFence: number;
}

/** Interval at which unused requirement classes are dropped. */
const pruneMs = 10_000;
/** Interval between two reads of what was measured for classes, in milliseconds. */
const recordsMs = 10_000;

/** Grants jobs while this process leads, and explains why jobs wait. */
export class SchedulerService {
  readonly #options: SchedulerOptions;
  #term: Term | undefined;
  /** Preparation of the current term, until the ledger is loaded. */
  #preparing: Promise<void> = Promise.resolve();
  #stops: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> = Promise.resolve();
  #prunedAt = Number.NEGATIVE_INFINITY;
  #recordsReadAt = Number.NEGATIVE_INFINITY;
  #readingRecords: Promise<void> | undefined;
  /** Number of open requests to read jobs again. */
  #rereadsDue = 0;
  #isRereading = false;
  /** Grants observed by this process, including those of other leaders. */
  readonly #history: GrantHistory;
  readonly #explainer: JobExplainer;
  readonly #waiting: WaitingJobsCounter;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#history = new GrantHistory(options.clock.monotonicMs());
    this.#waiting = new WaitingJobsCounter({ jobs: options.readyJobs, clock: options.clock });
    this.#explainer = new JobExplainer(
      options,
      () => this.#term && { feed: this.#term.dispatcher.feed, history: this.#history },
    );
  }

  /** True if this process leads. */
  get isLeading(): boolean {
    return this.#options.leadership.isLeader();
  }

  /** True if this process leads and has loaded its ledger from the store. */
  get isReady(): boolean {
    return this.#term !== undefined && this.isLeading;
  }

  /**
   * Number of requirement classes in memory: bounded by the ready and held jobs, not by all that ever were.
   */
  get classesInMemory(): number {
    return this.#options.classes.size;
  }

  /** Starts to follow events, and to lead whenever this process holds the lease. */
  async start(): Promise<void> {
    const { cache, leadership, suspendedTasks, limitedTasks, tests, tickMs = 1000 } = this.#options;
    this.#stops = [
      cache.onChange({
        events: (events) => this.#applyEvents(events),
        capacity: () => this.#term?.dispatcher.wake(),
        foreignGrants: (grants) => this.#revokeLateGrants(grants),
        outdated: (reason, err) => void this.#rereadJobs(reason, err),
      }),
    ];
    await cache.start();
    this.#stops.push(
      suspendedTasks.onChange((change) => this.#applySuspensions(change)),
      limitedTasks.onChange((change) => this.#applyLimits(change)),
      tests.onEnded(() => this.#term?.dispatcher.wake()),
      leadership.onGained((signal) => void this.#lead(signal)),
      leadership.onLost(() => (this.#term = undefined)),
    );
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#timer.unref();
  }

  /** Stops granting and waits for grants that are being written, so that all are answered. */
  async finishGrants(): Promise<void> {
    await this.#term?.dispatcher.close();
  }

  /** Stops following events; the leadership must have been stopped. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    for (const stop of this.#stops) stop();
    this.#term = undefined;
    await this.#ticking;
    await this.#readingRecords;
    await this.#options.cache.stop();
  }

  /**
   * Grants matching jobs to a worker, at once or within its waiting time.
   * @throws DomainError LEADER_UNAVAILABLE when this process does not lead, EPOCH_STALE when it has just been
   *   replaced
   */
  async acquire({ request, waitSeconds, signal }: AcquireCall): Promise<readonly Grant[]> {
    if (!this.isLeading) throw new DomainError('LEADER_UNAVAILABLE', 'This process does not lead the broker');
    if (!this.#term) await this.#preparing;
    if (!this.#term)
      throw new DomainError('LEADER_UNAVAILABLE', 'The broker has just begun to lead; try again in a second');
    return this.#term.dispatcher.acquire(request, { waitMs: waitSeconds * 1000, signal });
  }

  /**
   * Explains why a job waits; null if a worker in contact has it, it has ended, or its class is not stored.
   */
  pending(job: WaitingJob): Promise<PendingFacts | null> {
    return this.#explainer.pending(job);
  }

  /** Explains why a new job with these requirements would wait. */
  explain(requested: RequestedRequirements): Promise<PendingFacts> {
    return this.#explainer.explain(requested);
  }

  /**
   * Ready jobs by class and share, without those of tasks that are paused or at their limit.
   * @returns undefined while this process does not lead, or has not found all kinds of ready jobs yet
   */
  async waiting(): Promise<readonly WaitingJobs[] | undefined> {
    const { feed } = this.#term?.dispatcher ?? {};
    return this.isLeading && feed?.isWarm ? this.#waiting.count(feed.windows) : undefined;
  }

  /** Current usage of a share. */
  shareUsage(path: string): Usage {
    return this.#options.cache.ledger.shareUse(path);
  }

  #lead(signal: AbortSignal): Promise<void> {
    let prepared: () => void = () => undefined;
    this.#preparing = new Promise((resolve) => (prepared = resolve));
    signal.addEventListener('abort', () => prepared());
    return this.#begin(signal, prepared).finally(prepared);
  }

  async #begin(signal: AbortSignal, prepared: () => void): Promise<void> {
    const { leadership, cache, classes, jobs, writer, observer, suspendedTasks, limitedTasks, tests } =
      this.#options;
    const { readyJobs, clock, ids, log, checkpoints, storedHolds } = this.#options;
    const firstFence = leadership.firstFence ?? 0;
    try {
      // Grants of the former leader: all of them are in the store, and none can follow.
      await cache.refresh();
      await cache.reload();
      await Promise.all([suspendedTasks.reread(), limitedTasks.reread()]);
      if (signal.aborted) return;
      const grants = new GrantWriter({
        fences: leadership,
        writer,
        ledger: cache.ledger,
        ids,
        observer,
        clock,
        modelOf: (workerId, deviceId) =>
          cache.fleet.worker(workerId)?.facts.devices.find(({ id }) => id === deviceId)?.model,
        whereIs: (workerId) => {
          const worker = cache.fleet.worker(workerId);
          return worker ? { host: worker.facts.host, site: worker.shape.queue.site } : {};
        },
        onUncertain: (err) => void this.#rereadJobs('outcome of writing grants is unknown', err),
        onHeld: (jobIds) =>
          void cache
            .readHeld(jobIds)
            .catch((err: unknown) => this.#rereadJobs('held jobs were not read', err)),
        onChanged: (jobIds) =>
          void this.#putBack(dispatcher, jobIds).catch((err: unknown) =>
            this.#rereadJobs('changed jobs were not read', err),
          ),
      });
      const holds = new PreemptionHolds(await storedHolds.all(clock.now()));
      const dispatcher = new Dispatcher({
        holds,
        history: this.#history,
        cache,
        classes,
        jobs: readyJobs,
        grants,
        observer,
        suspendedTasks,
        limitedTasks,
        tests,
        clock,
        log,
        signal,
        onThrottled: (over) => void throttle.putAside(over),
      });
      const { feed } = dispatcher;
      const throttle = new Throttle({ cache, windows: feed.windows, jobs, classes, writer, log });
      const preempting = { cache, feed, holds, storedHolds, jobs, classes, checkpoints, writer, clock, log };
      const preemptor = new Preemptor({
        ...preempting,
        mayStart: (taskId) => dispatcher.admission.mayStart(taskId),
        onFreed: () => dispatcher.wake(),
      });
      for (const { path } of cache.fleet.shares()) throttle.watchShare(path);
      this.#term = { dispatcher, throttle, preemptor, firstFence };
      prepared();
      await dispatcher.feed.warm();
      dispatcher.admission.restart();
    } catch (error) {
      if (signal.aborted) return;
      log.error({ err: error }, 'broker could not start to lead and tries again');
      this.#term = undefined;
      setTimeout(() => void (signal.aborted || this.#lead(signal)), 1000).unref();
    }
  }

  #applySuspensions({ added, removed }: FollowedChange<SuspendedTask>): void {
    const { feed, admission } = this.#term?.dispatcher ?? {};
    if (!feed || !admission || added.length + removed.length === 0) return;
    for (const { id } of added) admission.forgetTask(id);
    for (const { id } of removed) admission.check(id);
    feed
      .leaveOut({ added, removed })
      .catch((err: unknown) => this.#rereadJobs('jobs of resumed tasks could not be read', err));
  }

  /** Jobs of limited tasks are admitted again. */
  async #putBack({ feed, admission }: Dispatcher, jobIds: readonly string[]): Promise<void> {
    for (const { id, taskId } of await feed.putBack(jobIds)) {
      admission.forget(taskId, id);
      admission.check(taskId);
    }
  }

  #applyLimits(change: FollowedChange<LimitedTask>): void {
    const { feed, admission } = this.#term?.dispatcher ?? {};
    if (!feed || !admission) return;
    for (const { id } of change.removed) admission.forgetTask(id);
    feed
      .leaveOut(change)
      .catch((err: unknown) => this.#rereadJobs('jobs of limited tasks could not be read', err));
    for (const { id } of [...change.added, ...change.kept]) admission.check(id);
  }

  #applyEvents(events: readonly JobEvent[]): void {
    const term = this.#term;
    if (!term) {
      this.#recordGrants(events);
      return;
    }
    term.dispatcher.feed.applyEvents(events);
    term.dispatcher.admission.applyEvents(events);
    for (const { last } of events) if (last.to === 'THROTTLED') term.throttle.watchShare(last.share);
  }

  /** Records grants of the leading process, so that the next leader can estimate waiting times. */
  #recordGrants(events: readonly JobEvent[]): void {
    const { clock } = this.#options;
    const offset = clock.monotonicMs() - clock.now().getTime();
    for (const { last } of events)
      if (last.to === 'SENT') this.#history.record(last.share, last.classId, last.at.getTime() + offset);
  }

  /**
   * Revokes grants of a former leader that reached the store after this term began: their workers never
   * received them, and their resources may have been granted to others meanwhile. An old report about a grant
   * that has gone on since is refused by its fence.
   */
  #revokeLateGrants(grants: readonly GrantRef[]): void {
    const { firstFence } = this.#term ?? {};
    if (firstFence === undefined) return;
    const late = grants.filter(({ fence }) => fence < firstFence);
    if (late.length === 0) return;
    const { requeueGrants, log } = this.#options;
    requeueGrants
      .run(late, grantLost('it was granted by a former leader of the broker'), 'system:broker')
      .then(
        (count) => count > 0 && log.warn({ jobs: count }, 'late grants of a former leader revoked'),
        (err: unknown) => log.error({ err }, 'late grants of a former leader could not be revoked'),
      );
  }

  /**
   * Reads all data derived from events again from the store. Errors are logged; the next reset or term tries
   * again.
   */
  async #rereadJobs(reason: string, err?: unknown): Promise<void> {
    this.#rereadsDue += 1;
    this.#options.log.warn(
      { reason, ...(err === undefined ? {} : { err }) },
      'reloading jobs from the store',
    );
    await this.#rereadJobsDue();
  }

  /** The store may be unavailable, as after a failed grant: then the next tick tries again. */
  async #rereadJobsDue(): Promise<void> {
    if (this.#isRereading) return;
    this.#isRereading = true;
    try {
      while (this.#rereadsDue > 0) {
        const due = this.#rereadsDue;
        await this.#options.cache.reload();
        await this.#term?.dispatcher.feed.restart();
        this.#term?.dispatcher.admission.restart();
        this.#rereadsDue -= due;
      }
    } catch (err) {
      this.#options.log.error({ err }, 'jobs could not be reloaded; trying again');
    } finally {
      this.#isRereading = false;
    }
  }

  #tick(): void {
    this.#ticking = this.#ticking.then(async () => {
      try {
        if (this.#rereadsDue > 0) await this.#rereadJobsDue();
        await this.#options.cache.refresh();
        this.#term?.dispatcher.prune();
        this.#pruneClasses();
        this.#readRecords();
        if (!this.#term) return;
        await this.#term.throttle.step();
        await this.#preempt();
      } catch (err) {
        this.#options.log.warn({ err }, 'queues and shares could not be read');
      }
    });
  }

  async #preempt(): Promise<void> {
    await this.#term?.preemptor
      .step()
      .catch((err: unknown) => this.#options.log.warn({ err }, 'jobs could not be preempted'));
  }

  /** Figures of classes only order workers: jobs are placed by the last ones while they cannot be read. */
  #readRecords(): void {
    const { classes, clock, log } = this.#options;
    const now = clock.monotonicMs();
    if (this.#readingRecords || now - this.#recordsReadAt < recordsMs) return;
    this.#recordsReadAt = now;
    this.#readingRecords = classes
      .readRecords()
      .catch((err: unknown) => log.warn({ err }, 'records of classes could not be read'))
      .finally(() => (this.#readingRecords = undefined));
  }

  #pruneClasses(): void {
    const { classes, cache, clock } = this.#options;
    const now = clock.monotonicMs();
    if (now - this.#prunedAt < pruneMs) return;
    this.#prunedAt = now;
    const inUse = new Set<string>();
    for (const { classId } of cache.ledger.entries()) inUse.add(classId);
    for (const { classId } of this.#term?.dispatcher.feed.windows.all() ?? []) inUse.add(classId);
    classes.prune(inUse, now);
  }
}
