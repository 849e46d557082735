/**
 * The fleet as every core process knows it: workers, queues, shares, classes, and the ledger, kept up to date
 * from the event stream. The leader schedules with it; other processes answer questions from it and are warm
 * when they start to lead. Only the leader's ledger is exact at any time, because the leader makes the
 * grants; the others' follow the stream.
 */
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { LRUCache } from 'lru-cache';
import { isHeld, isTerminal } from '../../jobs/model/job-state.js';
import { gpusOf } from '../../gpus/capacity/gpu-equivalents.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import type { AppliedTransition, TransitionWriter } from '../../jobs/transitions/transition.types.js';
import type { FleetDirectory, JobEventFeed, LedgerEntry } from '../scheduler.types.js';
import type { SchedulerJobsRepository, HeldJobFacts } from './scheduler-jobs.repository.js';
import { Fleet } from './fleet.js';
import { allHealthy, type HostStandings } from './host-standing.types.js';
import { Ledger } from './ledger.js';
import type { RequirementClasses } from '../requirements/requirement-classes.js';
import type { GrantRef } from '../dispatch/requeue-grants.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import type { JobEvent } from '../../jobs/model/job-event.types.js';

/** Live workers known to this process. */
export interface WorkerFeed {
  /** All live workers. */
  live(): Iterable<WorkerFacts>;
  /** All workers whose lease has ended and that may return. */
  unreachable(): Iterable<WorkerFacts>;
  /**
   * Calls the listener with each worker that is new, changed or ended. Returns a function that removes the
   * listener.
   */
  onChanged(listener: (worker: WorkerFacts) => void): () => void;
}

export interface SchedulerCacheOptions {
  readonly directory: FleetDirectory;
  readonly workers: WorkerFeed;
  readonly classes: RequirementClasses;
  readonly jobs: Pick<SchedulerJobsRepository, 'held' | 'heldFacts'>;
  /** Devices that stay booked after their jobs were given away. */
  readonly retained: () => Promise<RetainedOfWorkers>;
  readonly feed: JobEventFeed;
  readonly writer: Pick<TransitionWriter, 'onApplied'>;
  /** Hosts that are not healthy; none by default. */
  readonly hosts?: HostStandings;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Listener for changes of the cache. */
export interface CacheListener {
  /** Events, after the ledger was updated. Events of former grants are included. */
  events(events: readonly JobEvent[]): void;
  /**
   * Grants seen only in the stream: this process neither made them nor read them when it loaded its ledger.
   */
  foreignGrants(grants: readonly GrantRef[]): void;
  /** A change that may allow more grants: a release, a worker, a host, a queue, a share. */
  capacity(): void;
  /** Queues that changed. */
  queues(queues: readonly QueueFacts[]): void;
  /** Events were missed or could not be processed: data derived from them must be read again. */
  outdated(reason: string, err?: unknown): void;
}

type RetainedOfWorkers = Parameters<Ledger['retainOnly']>[0];

const maxAhead = 200_000;

/** Fleet, ledger and requirement classes of this process, updated from the event stream. */
export class SchedulerCache {
  readonly fleet: Fleet;
  readonly ledger = new Ledger();
  readonly #options: SchedulerCacheOptions;
  readonly #listeners = new Set<Partial<CacheListener>>();
  /**
   * Jobs whose end this process has written itself, with the fence, until the stream reports it: earlier
   * events of them in the stream are outdated. Bounded: the oldest are forgotten first, so they may be
   * counted too long.
   */
  readonly #ahead = new LRUCache<string, number>({ maxSize: maxAhead, sizeCalculation: () => 1 });
  /** Batches are processed one after another: a batch may wait until a class is loaded. */
  #order: Promise<void> = Promise.resolve();
  #stops: (() => void)[] = [];

  constructor(options: SchedulerCacheOptions) {
    this.#options = options;
    this.fleet = new Fleet(options.hosts);
  }

  /** Reads queues, shares, workers and jobs, and then follows the stream. */
  async start(): Promise<void> {
    const { feed, writer, workers } = this.#options;
    const outdated = (reason: string, err?: unknown): void =>
      this.#notify((listener) => listener.outdated?.(reason, err));
    this.#stops = [
      feed.onEvents(
        (events) =>
          void this.applyEvents(events).catch((err: unknown) =>
            outdated('events could not be processed', err),
          ),
      ),
      feed.onReset(() => outdated('events may have been missed')),
      writer.onApplied((applied) => this.applyTransitions(applied)),
    ];
    await this.refresh();
    for (const worker of workers.live()) this.fleet.set(worker);
    for (const worker of workers.unreachable()) this.fleet.setUnreachable(worker);
    const { hosts = allHealthy } = this.#options;
    this.#stops.push(
      hosts.onChanged(() => this.#notify((listener) => listener.capacity?.())),
      workers.onChanged((worker) => this.#applyWorker(worker)),
      this.ledger.onReleased((workerId) => this.#forget(workerId)),
    );
    await this.reload();
  }

  /** Stops following the stream. */
  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    await this.#order;
  }

  /** Calls the listener on changes. Returns a function that removes the listener. */
  onChange(listener: Partial<CacheListener>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Reads queues and shares again. */
  async refresh(): Promise<void> {
    const { directory, workers } = this.#options;
    const [queues, shares] = await Promise.all([directory.queues(), directory.shares()]);
    const changed = this.fleet.setQueues(queues);
    const sharesChanged = this.fleet.setShares(shares);
    // Workers that were reported before their queue was known.
    if (changed.length > 0) {
      for (const worker of workers.live()) if (!this.fleet.worker(worker.id)) this.fleet.set(worker);
      for (const worker of workers.unreachable()) this.fleet.setUnreachable(worker);
    }
    if (changed.length > 0) this.#notify((listener) => listener.queues?.(changed));
    if (changed.length > 0 || sharesChanged) this.#notify((listener) => listener.capacity?.());
  }

  /** Adds a live worker that calls this process before the stream has reported its queue. */
  async readUnknownQueue({ id, queueId }: Pick<WorkerFacts, 'id' | 'queueId'>): Promise<void> {
    if (!this.fleet.worker(id) && !this.fleet.queue(queueId)) await this.#reread();
  }

  /** Rebuilds the ledger from the store. Grants that are being written stay. */
  reload(): Promise<void> {
    return this.#inOrder(() => this.#reload());
  }

  /** Processes events of the stream, in order. */
  applyEvents(events: readonly JobEvent[]): Promise<void> {
    return this.#inOrder(async () => {
      await this.#options.classes.load(
        events.filter(({ last }) => isHeld(last.to)).map(({ last }) => last.classId),
      );
      // Queues are read from the store: the stream only shows that there is a new one.
      if (events.some((event) => this.#isOfUnknownQueue(event))) await this.#reread();
      await this.#readHeld(this.#returned(events));
      let released = false;
      const foreign: GrantRef[] = [];
      for (const event of events) released = this.#applyEvent(event, foreign) || released;
      this.#notify((listener) => listener.events?.(events));
      if (foreign.length > 0) this.#notify((listener) => listener.foreignGrants?.(foreign));
      if (released) this.#notify((listener) => listener.capacity?.());
    });
  }

  /** Reads jobs that a worker holds although this process did not grant them. */
  readHeld(jobIds: readonly string[]): Promise<void> {
    return this.#inOrder(() => this.#readHeld(jobIds));
  }

  /** Applies what this process wrote itself, before the stream reports it. */
  applyTransitions(applied: readonly AppliedTransition[]): void {
    let released = false;
    for (const { jobId, last } of applied) {
      if (isHeld(last.to)) {
        if (last.fence !== undefined) this.ledger.advance(jobId, last.fence, last.to);
      } else {
        // The end of a job may come without a fence; no grant can follow it.
        const fence = last.fence ?? (isTerminal(last.to) ? Number.MAX_SAFE_INTEGER : -1);
        const entry = this.ledger.release(jobId, fence);
        if (entry) this.#recordAhead(jobId, entry.fence);
        released = entry !== undefined || released;
      }
    }
    if (released) this.#notify((listener) => listener.capacity?.());
  }

  /** Runs after all earlier batches, even if one failed. */
  #inOrder(work: () => Promise<void>): Promise<void> {
    const next = this.#order.then(work);
    this.#order = next.catch((err: unknown) =>
      this.#options.log.error({ err }, 'event batch could not be processed'),
    );
    return next;
  }

  async #reread(): Promise<void> {
    await this.#options.directory.reread();
    await this.refresh();
  }

  async #reload(): Promise<void> {
    const { jobs, classes, clock, directory } = this.#options;
    // Jobs are found by their queues, including one just created by the process that led until now.
    await this.#reread();
    const queueIds = (await directory.queues()).map(({ id }) => id);
    const found: HeldJobFacts[] = [];
    const since = clock.monotonicMs();
    // Before and after the jobs: devices are released after a worker that returned holds its job again, and
    // retained before its job is given away.
    const before = await this.#options.retained();
    for await (const job of jobs.held(queueIds)) found.push(job);
    await classes.load(found.map(({ classId }) => classId));
    const after = await this.#options.retained();
    const unwritten = [...this.ledger.entries()].filter(
      (entry) => entry.fence === Infinity || entry.since >= since,
    );
    this.ledger.clear();
    for (const job of found) {
      const entry = this.#entryOf(job, since);
      if (entry) this.ledger.add(entry);
    }
    for (const entry of unwritten) this.ledger.add({ ...entry });
    this.ledger.retainOnly(together(before, after));
  }

  async #readHeld(jobIds: readonly string[]): Promise<void> {
    if (jobIds.length === 0) return;
    const { jobs, classes, clock } = this.#options;
    const found = await jobs.heldFacts(jobIds);
    await classes.load(found.map(({ classId }) => classId));
    for (const job of found) {
      const entry = this.#entryOf(job, clock.monotonicMs());
      if (entry && job.fence > (this.#ahead.peek(job._id) ?? -1)) this.ledger.replace(entry);
    }
  }

  /**
   * Jobs that a worker holds again after core gave them away: their events have a fence that no grant has,
   * and no devices.
   */
  #returned(events: readonly JobEvent[]): readonly string[] {
    const granted = new Map<string, number>();
    return events.flatMap(({ jobId, last: { to, fence } }) => {
      if (to === 'SENT') granted.set(jobId, fence);
      if (to === 'SENT' || !isHeld(to) || fence <= (this.#ahead.peek(jobId) ?? -1)) return [];
      const known = granted.get(jobId) ?? this.ledger.get(jobId)?.fence;
      return known === undefined || known < fence ? [jobId] : [];
    });
  }

  #entryOf(job: HeldJobFacts, since: number): LedgerEntry | undefined {
    const requirements = this.#options.classes.get(job.classId)?.requirements;
    if (!requirements || job.workerId === undefined || job.queueId === undefined) return undefined;
    return {
      jobId: job._id,
      workerId: job.workerId,
      queueId: job.queueId,
      share: job.share,
      owner: job.owner,
      classId: job.classId,
      ...(job.taskId === undefined ? {} : { taskId: job.taskId }),
      requirements,
      deviceIds: job.deviceIds ?? [],
      gpus: this.#gpusOf(requirements, job.deviceIds ?? [], job.workerId),
      ...(job.priority === 0 ? {} : { priority: job.priority }),
      ...(job.preemption ? { preemption: job.preemption } : {}),
      ...(job.continuity ? { continuity: job.continuity } : {}),
      attempt: job.attempt,
      fence: job.fence,
      state: job.state,
      since,
      outputs: job.payload.outputs,
    };
  }

  /** Charge for a grant in whole GPUs; if its devices are unknown, by its requirements. */
  #gpusOf({ gpu }: StoredRequirements, ids: readonly string[] | undefined, workerId: string): number {
    if (gpu === undefined || (ids === undefined && gpu.optional)) return 0;
    const devices = this.fleet.worker(workerId)?.facts.devices ?? [];
    const grantedIds = ids ?? Array.from({ length: gpu.count }, () => '');
    return gpusOf(
      gpu,
      grantedIds.map((id) => devices.find((device) => device.id === id)),
    );
  }

  #recordAhead(jobId: string, fence: number): void {
    this.#ahead.set(jobId, fence);
  }

  /** @returns true if a grant was released */
  #applyEvent({ jobId, last }: JobEvent, foreign: GrantRef[]): boolean {
    const ahead = this.#ahead.peek(jobId) ?? -1;
    if (!isHeld(last.to)) {
      if (last.fence >= ahead) this.#ahead.delete(jobId);
      return this.ledger.release(jobId, last.fence) !== undefined;
    }
    if (last.fence <= ahead) return false;
    const known = this.ledger.get(jobId);
    if (known && known.fence >= last.fence) {
      this.ledger.advance(jobId, last.fence, last.to);
      if (last.preemption) this.ledger.announceEnd(jobId, last.fence, { ...last.preemption, at: last.at });
      return false;
    }
    const requirements = this.#options.classes.get(last.classId)?.requirements;
    const queueId = last.workerId === undefined ? undefined : this.#queueIdOf(last.workerId, last.queue);
    if (!requirements || last.workerId === undefined || queueId === undefined) return false;
    this.ledger.add({
      jobId,
      workerId: last.workerId,
      queueId,
      share: last.share,
      owner: last.owner,
      classId: last.classId,
      ...(last.taskId === undefined ? {} : { taskId: last.taskId }),
      requirements,
      // The stream does not include devices; the leader has them from its own grants, and reads them when it
      // starts to lead.
      deviceIds: [],
      gpus: this.#gpusOf(requirements, undefined, last.workerId),
      ...(last.priority === 0 ? {} : { priority: last.priority }),
      ...(last.preemption ? { preemption: { ...last.preemption, at: last.at } } : {}),
      attempt: last.attempt,
      fence: last.fence,
      state: last.to,
      since: this.#options.clock.monotonicMs(),
    });
    if (last.to === 'SENT') foreign.push({ jobId, fence: last.fence });
    return false;
  }

  #isOfUnknownQueue({ last: { to, workerId, queue } }: JobEvent): boolean {
    return isHeld(to) && workerId !== undefined && this.#queueIdOf(workerId, queue) === undefined;
  }

  #queueIdOf(workerId: string, queueName: string | undefined): string | undefined {
    const worker = this.fleet.worker(workerId);
    if (worker) return worker.facts.queueId;
    for (const queue of this.fleet.queues()) if (queue.name === queueName) return queue.id;
    return undefined;
  }

  #applyWorker(worker: WorkerFacts): void {
    if (worker.state === 'READY' || worker.state === 'DRAINING') this.fleet.set(worker);
    else if (worker.state === 'UNREACHABLE') this.fleet.setUnreachable(worker);
    else {
      this.fleet.remove(worker.id, this.#holdsDevices(worker.id));
      this.#forget(worker.id);
    }
    this.#notify((listener) => listener.capacity?.());
  }

  /** An ended worker holds its devices until its last job is requeued. */
  #forget(workerId: string): void {
    if (!this.fleet.worker(workerId) && !this.#holdsDevices(workerId))
      this.fleet.sharedDevices.forget(workerId);
  }

  #holdsDevices(workerId: string): boolean {
    return this.ledger.jobsOf(workerId).size > 0 || this.ledger.bookings(workerId) !== undefined;
  }

  #notify(call: (listener: Partial<CacheListener>) => void): void {
    for (const listener of this.#listeners) call(listener);
  }
}

/** The ledger retains each booking once. */
function together(before: RetainedOfWorkers, after: RetainedOfWorkers): RetainedOfWorkers {
  const jobs = new Map<string, RetainedOfWorkers[number]['jobs']>();
  for (const one of [...before, ...after])
    jobs.set(one.workerId, [...(jobs.get(one.workerId) ?? []), ...one.jobs]);
  return [...jobs].map(([workerId, bookings]) => ({ workerId, jobs: bookings }));
}
