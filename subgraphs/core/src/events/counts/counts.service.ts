/**
 * Counts of this process. They begin with the stored snapshot or a scan, and follow the events of the stream,
 * each once. The leader stores them together with the position in the stream.
 */
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import { positionsAround } from '@rhizome/mongo';
import { sleep } from '@rhizome/retry';
import type { FeedStart } from '../feed/change-feed.repository.js';
import type { StreamedJobEvent } from '../feed/job-event.js';
import { headId, type CountChunkDocument } from './count-snapshot.document.js';
import type { CountSnapshotsRepository } from './count-snapshots.repository.js';
import type { CountScanRepository } from './count-scan.repository.js';
import { JobCounts } from './job-counts.js';
import { isCanary } from '../../jobs/model/canary-owner.js';
import type { StateCounts } from '../../jobs/ports.js';
import { taskParts, TaskCounts } from './task-counts.js';

/** Dependencies of {@link CountsService}. */
export interface CountsOptions {
  readonly scan: CountScanRepository;
  readonly snapshots: CountSnapshotsRepository;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  /** Interval at which the leader stores the counts, in milliseconds. */
  readonly saveMs: number;
}

/**
 * Position to read the stream from, the position up to which everything is counted, and an earlier one from
 * which reading may start as well.
 */
export interface CountsStart {
  readonly feed: FeedStart;
  readonly start: string;
  readonly floor: string;
}

/**
 * Called after a change, with the tasks whose counts changed; or without them if all jobs were counted again.
 */
export type CountsListener = (tasks: ReadonlySet<string> | 'all') => void;

/** Most rows of one stored chunk. */
const chunkRows = 5000;
/**
 * Interval at which the position of an idle stream is stored, in milliseconds: an old position cannot be
 * resumed.
 */
const idleSaveMs = 60_000;

/** Keeps the counts of jobs and tasks. */
export class CountsService {
  readonly #options: CountsOptions;
  readonly #listeners = new Set<CountsListener>();
  #jobs = new JobCounts();
  #tasks = new TaskCounts();
  #position = '';
  #isLoaded = false;
  /**
   * Ids of the stored chunks of this process's last snapshot, by part; empty when everything must be stored
   * again.
   */
  #stored = new Map<string, readonly string[]>();
  #saved: { readonly token: string; readonly changes: number; readonly atMs: number } | undefined;

  constructor(options: CountsOptions) {
    this.#options = options;
  }

  /** True once there are counts. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** The table of jobs. It is replaced after the stream was lost. */
  get jobs(): JobCounts {
    return this.#jobs;
  }

  /** Counts of a task, or undefined if they must be counted with an index. */
  ofTask(taskId: string): StateCounts | undefined {
    return this.#isLoaded ? this.#tasks.get(taskId) : undefined;
  }

  /** Number of jobs of a share that are not terminal. */
  live(share: string): number {
    return this.#jobs.sum((row) => row.share === share && !endStates.has(row.state));
  }

  /** Number of ready jobs of a share. */
  ready(share: string): number {
    return this.#jobs.sum((row) => row.share === share && row.state === 'ACTIVATED');
  }

  /**
   * Calls the listener after each batch with changes, and after all jobs were counted again. Returns a
   * function that stops it.
   */
  onChanged(listener: CountsListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Loads the stored counts, or counts all jobs if there are none. */
  async begin(signal: AbortSignal): Promise<CountsStart> {
    const snapshot = await this.#options.snapshots.read();
    if (!snapshot) return this.rebuild(signal);
    const { head, chunks } = snapshot;
    const jobs = new JobCounts();
    const tasks = new TaskCounts(undefined, head.forgottenUpTo);
    for (const chunk of chunks) {
      chunk.jobs.forEach((row) => jobs.set(row));
      chunk.tasks.forEach((row) => tasks.set(row));
    }
    this.#replace(jobs, tasks, head.token);
    return { feed: { after: head.token }, start: head.token, floor: head.token };
  }

  /** Counts all jobs again. */
  async rebuild(signal: AbortSignal): Promise<CountsStart> {
    const { clock, log, scan } = this.#options;
    const begun = clock.monotonicMs();
    const found = await scan.scan(signal);
    const jobs = new JobCounts();
    const tasks = new TaskCounts();
    found.jobs.forEach((row) => jobs.set(row));
    for (const task of [...found.tasks.keys()].sort())
      tasks.set({ task, counts: found.tasks.get(task) ?? [] });
    const { before, behind } = positionsAround(found.at);
    this.#replace(jobs, tasks, behind);
    log.info(
      { rows: found.jobs.length, tasks: found.tasks.size, ms: Math.round(clock.monotonicMs() - begun) },
      'jobs counted',
    );
    return { feed: { at: found.at }, start: behind, floor: before };
  }

  /** Applies events, each once, and moves the position behind them. */
  apply(events: readonly StreamedJobEvent[], position: string): void {
    this.#position = position;
    if (events.length === 0) return;
    const tasks = new Set<string>();
    for (const event of events) {
      if (!isCanary(event.last)) this.#jobs.apply(event);
      if (this.#tasks.apply(event) || event.last.taskId !== undefined) tasks.add(event.last.taskId ?? '');
    }
    for (const listener of this.#listeners) listener(tasks);
  }

  /** Stores the counts at intervals while this process leads. */
  async saveWhile(signal: AbortSignal, epoch: number): Promise<void> {
    const { saveMs, log } = this.#options;
    this.#stored = new Map();
    while (!signal.aborted) {
      if (!(await sleep(saveMs, signal)) || !this.#isDue()) continue;
      try {
        if (!(await this.save(epoch))) return;
      } catch (err) {
        this.#stored = new Map();
        log.warn({ err }, 'counts could not be stored; retrying later');
      }
    }
  }

  /** Stores the counts once. @returns false if another leader has stored younger ones */
  async save(epoch: number): Promise<boolean> {
    const { clock, snapshots } = this.#options;
    const token = this.#position;
    if (!/^[0-9A-F]+$/.test(token)) return true;
    const tasks = this.#tasks;
    const { changes } = this.#jobs;
    // Everything is copied before the first await, so that the snapshot is consistent.
    const fresh = this.#changedChunks(epoch);
    const forgottenUpTo = this.#tasks.forgottenUpTo;
    const stored = new Map(this.#stored);
    for (const [part, chunks] of fresh)
      stored.set(
        part,
        chunks.map(({ _id }) => _id),
      );
    const head = {
      _id: headId,
      schemaVersion: 1,
      kind: 'HEAD',
      createdAt: clock.now(),
      token,
      epoch,
      forgottenUpTo,
    } as const;
    const isNewest = await snapshots.write(
      { ...head, chunks: [...stored.values()].flat() },
      [...fresh.values()].flat(),
    );
    // After a recount meanwhile, the new counts have nothing in common with what was stored.
    if (tasks !== this.#tasks) return isNewest;
    this.#stored = stored;
    this.#saved = { token, changes, atMs: clock.monotonicMs() };
    return isNewest;
  }

  #isDue(): boolean {
    if (!this.#saved) return true;
    if (this.#position === this.#saved.token) return false;
    return (
      this.#jobs.changes !== this.#saved.changes ||
      this.#options.clock.monotonicMs() - this.#saved.atMs > idleSaveMs
    );
  }

  /** Returns the parts that changed since they were stored, split into chunks. */
  #changedChunks(epoch: number): ReadonlyMap<string, readonly CountChunkDocument[]> {
    const { clock, ids } = this.#options;
    const createdAt = clock.now();
    const chunk = (
      jobs: CountChunkDocument['jobs'],
      tasks: CountChunkDocument['tasks'],
    ): CountChunkDocument => ({
      _id: ids.next('counts'),
      schemaVersion: 1,
      kind: 'CHUNK',
      createdAt,
      epoch,
      jobs,
      tasks,
    });
    const changed = this.#tasks.drainChangedParts();
    const parts =
      this.#stored.size === 0 ? new Set(Array.from({ length: taskParts }, (_, part) => part)) : changed;
    const chunks = new Map([['jobs', pieces(this.#jobs.rows()).map((rows) => chunk(rows, []))]]);
    for (const [part, rows] of this.#tasks.rowsOf(parts)) {
      chunks.set(
        `tasks ${part}`,
        pieces(rows).map((piece) => chunk([], piece)),
      );
    }
    return chunks;
  }

  #replace(jobs: JobCounts, tasks: TaskCounts, position: string): void {
    this.#jobs = jobs;
    this.#tasks = tasks;
    this.#position = position;
    this.#stored = new Map();
    this.#saved = undefined;
    this.#isLoaded = true;
    for (const listener of this.#listeners) listener('all');
  }
}

function pieces<T>(rows: readonly T[]): (readonly T[])[] {
  const count = Math.ceil(rows.length / chunkRows);
  return Array.from({ length: count }, (_, piece) => rows.slice(piece * chunkRows, (piece + 1) * chunkRows));
}

const endStates: ReadonlySet<string> = new Set(['FINISHED', 'FAILED', 'CANCELLED', 'CLOSED']);
