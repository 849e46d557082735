/**
 * The event stream of this process: its tailer, hub and counts, and the streams for other domains and for
 * subscribers.
 */
import { setMaxListeners } from 'node:events';
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import type { LogAppended, LogTailRequest, LogTails } from '../jobs/logs/log-tails.js';
import type { JobFilterSpec } from '../jobs/jobs.service.js';
import type { JobDocument } from '../jobs/model/job.types.js';
import type { FeedBatch } from './feed/change-feed.repository.js';
import { compileCountFilter } from './counts/count-filter.js';
import {
  streamCounts,
  streamProgress,
  type CountsChange,
  type TaskProgressChange,
  type TaskSource,
} from './counts/count-stream.js';
import { CountsService } from './counts/counts.service.js';
import type { JobCountRow } from './counts/job-counts.js';
import { decodeCursor, encodeCursor } from './feed/cursor.js';
import { DocumentChanges } from './hub/document-changes.js';
import { DocumentStream } from './feed/document-feed.js';
import { compileFilter } from './hub/event-filter.js';
import { streamOccupancy, type DeviceFleet, type GpuOccupancyChange } from './counts/gpu-occupancy.js';
import { EventHub, everyEvent, type JobEventListener } from './hub/hub.js';
import { JobChanges, JobStateChange, JobStateChanges, type JobStateEvent } from './hub/job-changes.js';
import { JobBatchReader, type JobFields, type ReadJobs } from './hub/job-batch-reader.js';
import type { StreamedJobEvent } from './feed/job-event.js';
import type { LoadJob } from './hub/jobs-ahead.js';
import { linkSignals } from './hub/linked-signal.js';
import { SubscriptionGuard } from './hub/subscription-guard.js';
import { Tailer } from './feed/tailer.js';
import {
  assertFewJobs,
  type JobProgressChange,
  type ProgressJobs,
  type ProgressRequest,
  streamJobProgress,
} from './progress/progress-stream.js';
import { type PoolSource, streamPool, type WorkPoolChange } from './progress/pool-stream.js';
import { streamWorkflow, type WorkflowChange, type WorkflowSource } from './progress/workflow-stream.js';
import type { EventStores } from './event-stores.types.js';
import type { StreamMode } from './hub/stream.types.js';

/** Limits and intervals of the event stream. */
export interface EventsConfig {
  /** Number of events in memory. */
  readonly ringSize: number;
  /** Number of events in the buffer of a subscriber that has caught up. */
  readonly bufferSize: number;
  /** Interval at which the leader stores the counts, in milliseconds. */
  readonly countsSaveMs: number;
}

/** Dependencies of {@link EventsService}. */
export interface EventsOptions {
  readonly stores: EventStores;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  readonly config: EventsConfig;
  readonly readJobs: ReadJobs;
}

/** Leadership as {@link EventsService.leadWith} needs it. */
export interface LeaderTerms {
  onGained(listener: (signal: AbortSignal, epoch: number) => void): () => void;
}

/** Number of writes of queues, workers, completions of units and decisions about fleets in memory. */
const documentRingSize = 10_000;
const followed = new Set(['queues', 'workers', 'unitCompletions', 'fleetDecisions']);
/** Interval at which an idle follower gets the position, in milliseconds. */
const followIdleMs = 5000;

/** Follows the event stream, and serves it to other domains and to subscribers. */
export class EventsService {
  readonly counts: CountsService;
  /** Changes of queues and workers. */
  readonly documents: DocumentChanges;
  readonly #options: EventsOptions;
  readonly #hub: EventHub;
  readonly #documents: DocumentStream;
  readonly #tailer: Tailer;
  readonly #guard: SubscriptionGuard;
  readonly #jobs: JobBatchReader;
  readonly #changes = new JobStateChanges();
  readonly #written = new Map<string, Set<(ids: readonly string[]) => void>>();
  readonly #abort = new AbortController();
  #saving: Promise<void> = Promise.resolve();
  #stopLeading: (() => void) | undefined;

  constructor(options: EventsOptions) {
    const { stores, clock, ids, log, config, readJobs } = options;
    const { feed, scan, snapshots } = stores;
    this.#options = options;
    // Every open stream adds a listener.
    setMaxListeners(0, this.#abort.signal);
    this.#hub = new EventHub({ feed, log, ringSize: config.ringSize, bufferSize: config.bufferSize });
    this.#documents = new DocumentStream({ feed, collections: followed, ringSize: documentRingSize });
    this.#jobs = new JobBatchReader(readJobs);
    this.counts = new CountsService({ scan, snapshots, clock, ids, log, saveMs: config.countsSaveMs });
    this.#tailer = new Tailer({
      feed,
      clock,
      log,
      take: (batch) => this.#publish(batch),
      recover: async (signal) => {
        const begun = await this.counts.rebuild(signal);
        this.#hub.begin(begun);
        this.#documents.begin(begun.start);
        return begun.feed;
      },
    });
    this.#guard = new SubscriptionGuard({
      opened: this.#tailer.opened,
      head: () => this.#hub.head,
      ending: this.#abort.signal,
    });
    this.documents = new DocumentChanges(this.#guard, this.#documents);
  }

  /** True while the stream is read and there are counts. */
  get isReady(): boolean {
    return this.counts.isLoaded && this.#tailer.isAlive;
  }

  /**
   * Loads the counts, or counts all jobs, and starts to read the stream. Resolves when the stream is open.
   */
  async start(): Promise<void> {
    const begun = await this.counts.begin(this.#abort.signal);
    this.#hub.begin(begun);
    this.#documents.begin(begun.start);
    this.#tailer.start(begun.feed);
    await this.#tailer.opened;
  }

  /** Stores the counts while this process leads. */
  leadWith(terms: LeaderTerms): void {
    this.#stopLeading = terms.onGained((signal, epoch) => {
      this.#saving = this.#saving.then(() => this.counts.saveWhile(signal, epoch));
    });
  }

  /** Ends all streams and stops reading. The leader's signal must be aborted before. */
  async stop(): Promise<void> {
    this.#stopLeading?.();
    this.#abort.abort();
    await this.#tailer.stop();
    await this.#saving;
  }

  /**
   * Calls a listener with all events of jobs, in order, in batches; it must not block. Returns a function
   * that stops it.
   */
  onEvents(listener: JobEventListener): () => void {
    return this.#hub.onEvents(listener);
  }

  /**
   * Calls the listener when the stream was lost, so that events may have been missed. Returns a function that
   * stops it.
   */
  onReset(listener: () => void): () => void {
    return this.#hub.onReset(listener);
  }

  /** Calls a listener with written documents of a watched collection. Returns a function that stops it. */
  onWritten(collection: string, listener: (ids: readonly string[]) => void): () => void {
    const listeners = this.#written.get(collection) ?? new Set();
    this.#written.set(collection, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /**
   * Follows all events after a position, or from now, each at least once, in order, without gaps. The first
   * batch may be empty; its position is where the stream begins. Reads no further than its consumer. @throws
   * DomainError CURSOR_EXPIRED, CURSOR_INVALID
   */
  async *follow(options: {
    readonly after: string | null;
    readonly signal: AbortSignal;
  }): AsyncGenerator<
    { readonly events: readonly StreamedJobEvent[]; readonly cursor: string },
    void,
    undefined
  > {
    await this.#tailer.opened;
    const tie = linkSignals([options.signal, this.#abort.signal]);
    const after = options.after === null ? this.#hub.head : decodeCursor(options.after);
    try {
      yield { events: [], cursor: encodeCursor(after) };
      const request = {
        filter: everyEvent,
        after,
        signal: tie.signal,
        whenBehind: 'replay',
        idleMs: followIdleMs,
      } as const;
      for await (const { events, position } of this.#hub.stream(request))
        yield { events, cursor: encodeCursor(position) };
    } finally {
      tie.release();
    }
  }

  /**
   * Events that a principal may see, for a subscriber: every event, or the latest of each job among those
   * that wait. In mode LATEST no subscriber is ended for being slow. @throws DomainError CURSOR_…, FORBIDDEN,
   * BAD_USER_INPUT, SUBSCRIPTION_LAGGED
   */
  jobStateChanged(
    input: JobFilterSpec | null | undefined,
    after: string | null | undefined,
    principal: Principal,
    signal: AbortSignal | undefined,
    mode: StreamMode = 'EVERY',
  ): AsyncGenerator<JobStateChange, void, undefined> {
    return this.#guard.through(after, signal, (start) => {
      const filter = compileFilter(input, principal);
      const whenBehind = mode === 'LATEST' ? 'replay' : 'end';
      const request = { filter, after: start.position, signal: start.signal, whenBehind, mode } as const;
      const opening = start.isResumed ? undefined : new JobStateChange(start.position, null);
      return new JobChanges(this.#hub.stream(request), this.#changes, opening);
    });
  }

  /**
   * The job of an event with these stored fields, as it was at the event or later.
   * @throws DomainError JOB_NOT_FOUND if the job was removed since
   */
  async readJob({ event, ahead, at }: JobStateEvent, fields: JobFields): Promise<JobDocument> {
    const load: LoadJob = (id) => this.#jobs.load(id, fields);
    const job = await (ahead?.load(at, fields, load) ?? load(event.jobId));
    if (job) return job;
    const text = `Job ${JSON.stringify(event.jobId)} not found.`;
    throw new DomainError('JOB_NOT_FOUND', text, { field: 'job', value: event.jobId });
  }

  /** Counts that a principal may see. */
  jobCounts(filter: JobFilterSpec | null | undefined, principal: Principal): readonly JobCountRow[] {
    return this.counts.jobs.rows().filter(compileCountFilter(filter, principal));
  }

  /** Counts that a principal may see, and their changes. */
  jobCountsChanged(
    filter: JobFilterSpec | null | undefined,
    intervalMs: number,
    principal: Principal,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<CountsChange, void, undefined> {
    const wants = compileCountFilter(filter, principal);
    return this.#guard.through(undefined, signal, (start) =>
      streamCounts(this.#streamOptions(start.signal), wants, intervalMs),
    );
  }

  /** GPUs that a principal may see, and how many of them are in use. */
  gpuOccupancyChanged(
    fleet: DeviceFleet,
    wanted: Parameters<typeof streamOccupancy>[2],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<GpuOccupancyChange, void, undefined> {
    return this.#guard.through(undefined, signal, (start) =>
      streamOccupancy(this.#streamOptions(start.signal), fleet, wanted),
    );
  }

  /** Jobs whose progress changes. @throws DomainError BAD_USER_INPUT */
  jobProgressChanged(
    jobs: ProgressJobs,
    request: ProgressRequest,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<JobProgressChange, void, undefined> {
    assertFewJobs(request.ids);
    return this.#guard.through(undefined, signal, (start) =>
      streamJobProgress(request, jobs, { signal: start.signal, head: () => this.#hub.head }),
    );
  }

  /** The pool at each change of the numbers of its units, at most once in an interval. */
  workPoolChanged(
    source: PoolSource,
    intervalMs: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<WorkPoolChange, void, undefined> {
    return this.#guard.through(undefined, signal, (start) =>
      streamPool(source, intervalMs, { signal: start.signal, head: () => this.#hub.head }),
    );
  }

  /** The workflow after its steps, at most once in an interval. */
  workflowChanged(
    source: WorkflowSource,
    intervalMs: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<WorkflowChange, void, undefined> {
    return this.#guard.through(undefined, signal, (start) =>
      streamWorkflow(source, intervalMs, { signal: start.signal, head: () => this.#hub.head }),
    );
  }

  /** The log of a job while it grows. */
  logAppended(
    tails: LogTails,
    request: Omit<LogTailRequest, 'signal'>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<LogAppended, void, undefined> {
    // The cursor is one of the log, so the guard need not check it.
    return this.#guard.through(undefined, signal, (start) =>
      tails.follow({ ...request, signal: start.signal }),
    );
  }

  /** The progress of a task until it has ended. @throws DomainError TASK_NOT_FOUND */
  taskProgress<TTask>(
    id: string,
    source: Omit<TaskSource<TTask>, 'onWritten'>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<TaskProgressChange<TTask>, void, undefined> {
    const onWritten = (listener: () => void): (() => void) =>
      this.onWritten('tasks', (ids) => {
        if (ids.includes(id)) listener();
      });
    return this.#guard.through(undefined, signal, (start) =>
      streamProgress(this.#streamOptions(start.signal), id, { ...source, onWritten }),
    );
  }

  #streamOptions(signal: AbortSignal) {
    return { counts: this.counts, clock: this.#options.clock, head: () => this.#hub.head, signal };
  }

  #publish({ events, notices, position }: FeedBatch): void {
    const fresh = this.#hub.publish(events, position);
    this.counts.apply(fresh, position);
    this.#documents.append(notices, position);
    if (notices.length === 0) return;
    const byCollection = new Map<string, Set<string>>();
    for (const { collection, id } of notices) {
      const ids = byCollection.get(collection);
      if (ids) ids.add(id);
      else byCollection.set(collection, new Set([id]));
    }
    for (const [collection, ids] of byCollection) {
      for (const listener of this.#written.get(collection) ?? []) listener([...ids]);
    }
  }
}
