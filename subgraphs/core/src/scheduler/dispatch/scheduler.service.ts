/** The broker as the rest of core sees it: work for workers, why a job waits, what shares use. */
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import { isHeld, isTerminal } from '../../jobs/model/job-state.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import type { TransitionWriter } from '../../jobs/transitions/transition.types.js';
import type { AcquireRequest, Grant } from '../scheduler.types.js';
import type { SchedulerJobsRepository } from '../cache/scheduler-jobs.repository.js';
import type { SchedulerCache } from '../cache/scheduler-cache.js';
import { Dispatcher } from './dispatcher.js';
import { GrantWriter } from './grant-writer.js';
import type { BrokerLeadership } from '../leader/leadership.js';
import type { Usage } from '../cache/ledger.js';
import { fleetFacts } from '../explain/fleet-facts.js';
import { GrantHistory } from '../cache/grant-history.js';
import { explainPending, type PendingWorld, type PositionInShare } from '../explain/pending.js';
import type { FleetFacts, PendingFacts, WaitingJob } from '../explain/pending.types.js';
import { positionOf } from '../explain/queue-position.js';
import { experimentOf } from '../cache/ready-windows.js';
import { prepareClass, type RequirementClass } from '../requirements/requirement-class.js';
import type { RequirementClasses } from '../requirements/requirement-classes.js';
import { grantLost, type GrantRef, type RequeueGrants } from './requeue-grants.js';
import { Throttle } from './throttle.js';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';

/** What {@link SchedulerService} is made of. */
export interface SchedulerOptions {
  readonly cache: SchedulerCache;
  readonly classes: RequirementClasses;
  readonly jobs: SchedulerJobsRepository;
  readonly leadership: BrokerLeadership;
  readonly writer: TransitionWriter;
  readonly requeueGrants: RequeueGrants;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  /** Jobs of a share that are ready, as they are counted. */
  readonly readyCount?: ((share: string) => number) | undefined;
  /** How often shares, queues and throttled jobs are looked at. */
  readonly tickMs?: number;
}

/** How long and for whom a call of `acquire` may wait. */
export interface AcquireCall {
  readonly request: AcquireRequest;
  readonly waitSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** Requirements that may become a job's. */
export interface RequestedRequirements {
  readonly requirements: StoredRequirements;
  /** `experiment/leaf`. */
  readonly share: string;
  readonly priority: number;
}

/** What one term of leadership has. */
interface Term {
  readonly dispatcher: Dispatcher;
  readonly throttle: Throttle;
  readonly firstFence: number;
}

/** Facts of the fleet for a class hold for so long. */
const factsKeptMs = 250;
const maxFactsKept = 256;
/** How often unused requirement classes are dropped. */
const pruneMs = 10_000;

/** See the head of this file. */
export class SchedulerService {
  readonly #options: SchedulerOptions;
  #term: Term | undefined;
  /** The beginning of the present term, until the ledger is made. */
  #preparing: Promise<void> = Promise.resolve();
  #stops: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> = Promise.resolve();
  #prunedAt = Number.NEGATIVE_INFINITY;
  /** Reasons to read jobs again that are still open. */
  #rereadsDue = 0;
  #isRereading = false;
  /** What was granted as far as this process saw it, also while others led. */
  readonly #history: GrantHistory;
  readonly #facts = new Map<string, { readonly facts: FleetFacts; readonly atMs: number }>();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#history = new GrantHistory(options.clock.monotonicMs());
  }

  /** Whether this process leads. */
  get isLeading(): boolean {
    return this.#options.leadership.isLeader();
  }

  /** Whether this process leads and has made its ledger from the store. */
  get isReady(): boolean {
    return this.#term !== undefined && this.isLeading;
  }

  /** Number of requirement classes in memory: it follows the jobs that are ready or held, not those that ever were. */
  get classesInMemory(): number {
    return this.#options.classes.size;
  }

  /** Begins to follow events, and to lead whenever this process holds the lease. */
  async start(): Promise<void> {
    const { cache, leadership, tickMs = 1000 } = this.#options;
    this.#stops = [
      cache.onChange({
        events: (events) => this.#takeEvents(events),
        capacity: () => this.#term?.dispatcher.wake(),
        foreignGrants: (grants) => this.#revokeLateGrants(grants),
        outdated: (reason, err) => void this.#rereadJobs(reason, err),
      }),
    ];
    await cache.start();
    this.#stops.push(
      leadership.onGained((signal) => void this.#lead(signal)),
      leadership.onLost(() => (this.#term = undefined)),
    );
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#timer.unref();
  }

  /** Grants nothing more and waits for the grants that are being written, so that none is left unanswered. */
  async finishGrants(): Promise<void> {
    await this.#term?.dispatcher.close();
  }

  /** Follows no more; the leadership must have been stopped. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    for (const stop of this.#stops) stop();
    this.#term = undefined;
    await this.#ticking;
    await this.#options.cache.stop();
  }

  /**
   * Grants matching jobs to a worker, at once or within the wait.
   * @throws DomainError LEADER_UNAVAILABLE when this process does not lead, EPOCH_STALE when it has just been replaced
   */
  async acquire({ request, waitSeconds, signal }: AcquireCall): Promise<readonly Grant[]> {
    if (!this.isLeading) throw new DomainError('LEADER_UNAVAILABLE', 'This process does not lead the broker');
    if (!this.#term) await this.#preparing;
    if (!this.#term)
      throw new DomainError('LEADER_UNAVAILABLE', 'The broker has just begun to lead; ask again in a second');
    return this.#term.dispatcher.acquire(request, { waitMs: waitSeconds * 1000, signal });
  }

  /** What the broker can say about why a job waits; null once it was sent, or for a class that is not stored. */
  async pending(job: WaitingJob): Promise<PendingFacts | null> {
    if (isHeld(job.state) || isTerminal(job.state)) return null;
    const { classes } = this.#options;
    await classes.load([job.classId]);
    const cls = classes.get(job.classId);
    if (!cls) return null;
    const position = job.state === 'ACTIVATED' ? await this.#positionOf(job) : null;
    return explainPending(job, cls, this.#world(), position, this.#factsOf(cls, job.share));
  }

  /** What the broker could say of a job with these requirements that came now. */
  async explain({ requirements, share, priority }: RequestedRequirements): Promise<PendingFacts> {
    const { classes } = this.#options;
    const classId = classIdOf(requirements);
    await classes.load([classId]);
    // One that nobody has submitted is in no cache: its index is beyond those of the classes in memory.
    const cls = classes.get(classId) ?? prepareClass(classId, -1, requirements);
    const job: WaitingJob = {
      _id: '￿',
      state: 'ACTIVATED',
      share,
      owner: '',
      priority,
      classId,
      waitingFor: [],
    };
    return explainPending(job, cls, this.#world(), await this.#positionOf(job));
  }

  /** What is granted to a share now. */
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
    const { leadership, cache, classes, jobs, writer, clock, ids, log } = this.#options;
    const firstFence = leadership.firstFence ?? 0;
    try {
      // Grants of the former leader: all of them are in the store, and none can follow.
      await cache.refresh();
      await cache.reload();
      if (signal.aborted) return;
      const grants = new GrantWriter({
        fences: leadership,
        writer,
        ledger: cache.ledger,
        ids,
        modelOf: (workerId, deviceId) =>
          cache.fleet.worker(workerId)?.facts.devices.find(({ id }) => id === deviceId)?.model,
        onUncertain: (err) => void this.#rereadJobs('nobody knows whether grants were written', err),
      });
      const dispatcher = new Dispatcher({
        history: this.#history,
        cache,
        classes,
        jobs,
        grants,
        clock,
        log,
        signal,
        onThrottled: (over) => void throttle.putAside(over),
      });
      const throttle = new Throttle({ cache, windows: dispatcher.windows, jobs, classes, writer, log });
      for (const { path } of cache.fleet.shares()) throttle.note(path);
      this.#term = { dispatcher, throttle, firstFence };
      prepared();
      await dispatcher.warm();
    } catch (error) {
      if (signal.aborted) return;
      log.error({ err: error }, 'the broker could not begin to lead and tries again');
      this.#term = undefined;
      setTimeout(() => void (signal.aborted || this.#lead(signal)), 1000).unref();
    }
  }

  #takeEvents(events: readonly JobEvent[]): void {
    const term = this.#term;
    if (!term) {
      this.#noteGrants(events);
      return;
    }
    term.dispatcher.take(events);
    for (const { last } of events) if (last.to === 'THROTTLED') term.throttle.note(last.share);
  }

  /** Grants of the process that leads: who leads after it knows how long jobs wait. */
  #noteGrants(events: readonly JobEvent[]): void {
    const { clock } = this.#options;
    const offset = clock.monotonicMs() - clock.now().getTime();
    for (const { last } of events)
      if (last.to === 'SENT') this.#history.note(last.share, last.classId, last.at.getTime() + offset);
  }

  /**
   * A grant of a former leader that reached the store after this term began: its worker never learned of it, and what it took may have been given
   * to another meanwhile. It is revoked; an old report about a grant that has gone on since is refused by its fence.
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
        (count) => count > 0 && log.warn({ jobs: count }, 'late grants of a former leader were taken back'),
        (err: unknown) => log.error({ err }, 'late grants of a former leader could not be taken back'),
      );
  }

  /** What is known from events is read from the store again. Faults are logged; the next reset or term does it again. */
  async #rereadJobs(reason: string, err?: unknown): Promise<void> {
    this.#rereadsDue += 1;
    this.#options.log.warn({ reason, ...(err === undefined ? {} : { err }) }, 'the broker reads jobs anew');
    await this.#rereadJobsDue();
  }

  /** The store may be away just then, as it is when a grant fails: then the next tick tries again. */
  async #rereadJobsDue(): Promise<void> {
    if (this.#isRereading) return;
    this.#isRereading = true;
    try {
      while (this.#rereadsDue > 0) {
        const due = this.#rereadsDue;
        await this.#options.cache.reload();
        await this.#term?.dispatcher.restart();
        this.#rereadsDue -= due;
      }
    } catch (err) {
      this.#options.log.error({ err }, 'the broker could not read jobs anew, and tries again');
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
        if (!this.#term) return;
        await this.#term.throttle.step();
      } catch (err) {
        this.#options.log.warn({ err }, 'queues and shares could not be read');
      }
    });
  }

  #pruneClasses(): void {
    const { classes, cache, clock } = this.#options;
    const now = clock.monotonicMs();
    if (now - this.#prunedAt < pruneMs) return;
    this.#prunedAt = now;
    const inUse = new Set<string>();
    for (const { classId } of cache.ledger.entries()) inUse.add(classId);
    for (const { classId } of this.#term?.dispatcher.windows.all() ?? []) inUse.add(classId);
    classes.prune(inUse, now);
  }

  /** The position of a job that is ready, if this process knows it. */
  async #positionOf(job: WaitingJob): Promise<PositionInShare> {
    const { dispatcher } = this.#term ?? {};
    await dispatcher?.learn(job.share);
    const windows = dispatcher?.windows;
    if (!windows) return { position: null, isPositionEstimated: false, inClass: null };
    const key = { priority: job.priority, id: job._id };
    const nowMs = this.#options.clock.now().getTime();
    const ready = this.#options.readyCount?.(job.share);
    const own = windows.find(job.share, job.classId);
    return positionOf(windows.of(job.share), key, ready, nowMs, own);
  }

  #world(): PendingWorld {
    const { cache, clock } = this.#options;
    return {
      fleet: cache.fleet,
      ledger: cache.ledger,
      history: this.#term && this.#history,
      nowMs: clock.monotonicMs(),
      wallMs: clock.now().getTime(),
    };
  }

  /** Facts of the fleet for a class: a page of jobs asks for the same again and again, and they hold for a moment. */
  #factsOf(cls: RequirementClass, share: string): FleetFacts {
    const now = this.#options.clock.monotonicMs();
    const key = `${cls.id} ${experimentOf(share)}`;
    const known = this.#facts.get(key);
    if (known && now - known.atMs < factsKeptMs) return known.facts;
    const facts = fleetFacts(cls, experimentOf(share), this.#world());
    if (this.#facts.size >= maxFactsKept) this.#facts.clear();
    this.#facts.set(key, { facts, atMs: this.#options.clock.monotonicMs() });
    return facts;
  }
}
