/**
 * What every core process knows of the fleet: workers, queues, shares, classes, and the ledger, kept from the event stream. The leader decides
 * on it; the others answer questions from it and are warm when they come to lead. Only the leader's ledger is exact at once, because it makes
 * the grants; the others' follow the stream.
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
import { Ledger } from './ledger.js';
import type { RequirementClasses } from '../requirements/requirement-classes.js';
import type { GrantRef } from '../dispatch/requeue-grants.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import type { JobEvent } from '../../jobs/model/job-event.types.js';

/** Live workers as this process knows them. */
export interface WorkerFeed {
  /** All live workers. */
  live(): Iterable<WorkerFacts>;
  /** Calls the listener with each worker that came, changed, or ended; returns how to stop. */
  onChanged(listener: (worker: WorkerFacts) => void): () => void;
}

/** What {@link SchedulerCache} is made of. */
export interface SchedulerCacheOptions {
  readonly directory: FleetDirectory;
  readonly workers: WorkerFeed;
  readonly classes: RequirementClasses;
  readonly jobs: Pick<SchedulerJobsRepository, 'held'>;
  readonly feed: JobEventFeed;
  readonly writer: Pick<TransitionWriter, 'onApplied'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What changed, for those who wait for it. */
export interface CacheListener {
  /** Events, after the ledger has taken them in. Events of former grants come like all others. */
  events(events: readonly JobEvent[]): void;
  /** Grants that came by the stream alone: this process did not make them, nor read them when it made its ledger. */
  foreignGrants(grants: readonly GrantRef[]): void;
  /** Something that may let more jobs be granted: a release, a worker, a queue, a share. */
  capacity(): void;
  /** Queues that changed. */
  queues(queues: readonly QueueFacts[]): void;
  /** Events were missed or could not be taken in: what is derived from them must be read again. */
  outdated(reason: string, err?: unknown): void;
}

const maxAhead = 200_000;

/** See the head of this file. */
export class SchedulerCache {
  readonly fleet = new Fleet();
  readonly ledger = new Ledger();
  readonly #options: SchedulerCacheOptions;
  readonly #listeners = new Set<Partial<CacheListener>>();
  /**
   * Jobs whose end this process wrote itself, with the fence, until the stream has brought it: what the stream says of them before that is
   * old. Bounded: the oldest are forgotten first, which costs a moment of counting too much.
   */
  readonly #ahead = new LRUCache<string, number>({ maxSize: maxAhead, sizeCalculation: () => 1 });
  /** Batches are taken in one after another: a batch may wait for a class to be read. */
  #order: Promise<void> = Promise.resolve();
  #stops: (() => void)[] = [];

  constructor(options: SchedulerCacheOptions) {
    this.#options = options;
  }

  /** Reads queues, shares, workers and jobs; from here on it follows. */
  async start(): Promise<void> {
    const { feed, writer, workers } = this.#options;
    const outdated = (reason: string, err?: unknown): void =>
      this.#notify((listener) => listener.outdated?.(reason, err));
    this.#stops = [
      feed.onEvents(
        (events) => void this.take(events).catch((err: unknown) => outdated('events were not taken in', err)),
      ),
      feed.onReset(() => outdated('events may have been missed')),
      writer.onApplied((applied) => this.takeApplied(applied)),
    ];
    await this.refresh();
    for (const worker of workers.live()) this.fleet.put(worker);
    this.#stops.push(
      workers.onChanged((worker) => this.#takeWorker(worker)),
      this.ledger.onReleased((workerId) => this.#forget(workerId)),
    );
    await this.reload();
  }

  /** Follows no more. */
  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    await this.#order;
  }

  /** Calls the listener on changes; returns how to stop. */
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
    // Workers of a queue that was not known when they came.
    if (changed.length > 0)
      for (const worker of workers.live()) if (!this.fleet.worker(worker.id)) this.fleet.put(worker);
    if (changed.length > 0) this.#notify((listener) => listener.queues?.(changed));
    if (changed.length > 0 || sharesChanged) this.#notify((listener) => listener.capacity?.());
  }

  /** Takes in a live worker that speaks here before its queue was heard of by the stream. */
  async admit({ id, queueId }: Pick<WorkerFacts, 'id' | 'queueId'>): Promise<void> {
    if (!this.fleet.worker(id) && !this.fleet.queue(queueId)) await this.#reread();
  }

  /** Builds the ledger again from the store. Grants that are being written meanwhile stay. */
  reload(): Promise<void> {
    return this.#inOrder(() => this.#reload());
  }

  /** Takes in events of the stream, in order. */
  take(events: readonly JobEvent[]): Promise<void> {
    return this.#inOrder(async () => {
      await this.#options.classes.load(
        events.filter(({ last }) => isHeld(last.to)).map(({ last }) => last.classId),
      );
      // Queues come by another way than grants: the stream says only that there is one.
      if (events.some((event) => this.#isOfUnknownQueue(event))) await this.#reread();
      let released = false;
      const foreign: GrantRef[] = [];
      for (const event of events) released = this.#takeEvent(event, foreign) || released;
      this.#notify((listener) => listener.events?.(events));
      if (foreign.length > 0) this.#notify((listener) => listener.foreignGrants?.(foreign));
      if (released) this.#notify((listener) => listener.capacity?.());
    });
  }

  /** Takes in what this process wrote itself, before the stream brings it. */
  takeApplied(applied: readonly AppliedTransition[]): void {
    let released = false;
    for (const { jobId, last } of applied) {
      if (isHeld(last.to)) {
        if (last.fence !== undefined) this.ledger.advance(jobId, last.fence, last.to);
      } else {
        // Who ends a job for good need not know its fence; no grant can follow.
        const fence = last.fence ?? (isTerminal(last.to) ? Number.MAX_SAFE_INTEGER : -1);
        const entry = this.ledger.release(jobId, fence);
        if (entry) this.#noteAhead(jobId, entry.fence);
        released = entry !== undefined || released;
      }
    }
    if (released) this.#notify((listener) => listener.capacity?.());
  }

  /** Runs after all batches before it, also after one that failed. */
  #inOrder(work: () => Promise<void>): Promise<void> {
    const next = this.#order.then(work);
    this.#order = next.catch((err: unknown) =>
      this.#options.log.error({ err }, 'the broker could not take in a batch of events'),
    );
    return next;
  }

  async #reread(): Promise<void> {
    await this.#options.directory.reread();
    await this.refresh();
  }

  async #reload(): Promise<void> {
    const { jobs, classes, clock, directory } = this.#options;
    // Jobs are found by their queues: also by one that was made a moment ago, by a process that has led until now.
    await this.#reread();
    const queueIds = (await directory.queues()).map(({ id }) => id);
    const found: HeldJobFacts[] = [];
    const since = clock.monotonicMs();
    for await (const job of jobs.held(queueIds)) found.push(job);
    await classes.load(found.map(({ classId }) => classId));
    const unwritten = [...this.ledger.entries()].filter(
      (entry) => entry.fence === Infinity || entry.since >= since,
    );
    this.ledger.clear();
    for (const job of found) {
      const entry = this.#entryOf(job, since);
      if (entry) this.ledger.add(entry);
    }
    for (const entry of unwritten) this.ledger.add({ ...entry });
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
      requirements,
      deviceIds: job.deviceIds ?? [],
      gpus: this.#gpusOf(requirements, job.deviceIds ?? [], job.workerId),
      attempt: job.attempt,
      fence: job.fence,
      state: job.state,
      since,
      outputs: job.payload.outputs,
    };
  }

  /** What a grant is charged as; where its devices are not known, by what it asks for. */
  #gpusOf({ gpu }: StoredRequirements, ids: readonly string[] | undefined, workerId: string): number {
    if (gpu === undefined || (ids === undefined && gpu.optional)) return 0;
    const devices = this.fleet.worker(workerId)?.facts.devices ?? [];
    const asked = ids ?? Array.from({ length: gpu.count }, () => '');
    return gpusOf(
      gpu,
      asked.map((id) => devices.find((device) => device.id === id)),
    );
  }

  #noteAhead(jobId: string, fence: number): void {
    this.#ahead.set(jobId, fence);
  }

  /** @returns whether a grant was released */
  #takeEvent({ jobId, last }: JobEvent, foreign: GrantRef[]): boolean {
    const ahead = this.#ahead.peek(jobId) ?? -1;
    if (!isHeld(last.to)) {
      if (last.fence >= ahead) this.#ahead.delete(jobId);
      return this.ledger.release(jobId, last.fence) !== undefined;
    }
    if (last.fence <= ahead) return false;
    const known = this.ledger.get(jobId);
    if (known && known.fence >= last.fence) {
      this.ledger.advance(jobId, last.fence, last.to);
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
      requirements,
      // The stream does not carry devices; the leader has them from its own grants, and reads them when it comes to lead.
      deviceIds: [],
      gpus: this.#gpusOf(requirements, undefined, last.workerId),
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

  #takeWorker(worker: WorkerFacts): void {
    if (worker.state === 'READY' || worker.state === 'DRAINING') this.fleet.put(worker);
    else this.fleet.remove(worker.id, this.ledger.jobsOf(worker.id).size > 0);
    this.#notify((listener) => listener.capacity?.());
  }

  /** A worker that has ended holds its devices until its last job is taken back. */
  #forget(workerId: string): void {
    if (!this.fleet.worker(workerId) && this.ledger.jobsOf(workerId).size === 0)
      this.fleet.sharedDevices.forget(workerId);
  }

  #notify(call: (listener: Partial<CacheListener>) => void): void {
    for (const listener of this.#listeners) call(listener);
  }
}
