/**
 * A bounded window on the ready jobs of one (class, share), by priority and age. It contains every ready job
 * up to its edge and none beyond, so its head is the true head; jobs beyond the edge are fetched from the
 * store when the window runs low. 10 million jobs behind it cost nothing.
 */
import type { ReadyJob } from '../scheduler.types.js';

/** Position of a job in its window: a higher priority first, then the smaller (older) id. */
export interface ReadyKey {
  readonly priority: number;
  readonly id: string;
}

/** Negative if `a` is served before `b`. */
export function compareKeys(a: ReadyKey, b: ReadyKey): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** A request to the store: at most `limit` jobs behind `after`. */
export interface RefillRequest {
  readonly after: ReadyKey | undefined;
  readonly limit: number;
}

export const minRefill = 128;
export const maxRefill = 4096;
/** Number of jobs in a window up to which jobs that wait for another host are not counted. */
const maxWithPassedOver = 4 * maxRefill;

/** Ready jobs of one class and share, up to an edge. */
export class ReadyWindow {
  /** In reverse order, so that the head is taken off the end. */
  #jobs: ReadyJob[] = [];
  readonly #ids = new Set<string>();
  /** Jobs in the window that wait for another host. They do not fill it: those behind may go anywhere. */
  readonly #passedOver = new Set<string>();
  /** All ready jobs up to this key are in the window; undefined if nothing is known yet. */
  #edge: ReadyKey | undefined;
  /** True if no ready jobs are beyond the window. */
  #isComplete = false;
  #taken = 0;
  #limit = minRefill;
  /** Jobs that arrived beyond the edge or left during a refill. */
  #arrived: Map<string, ReadyJob> | undefined;
  #left = new Set<string>();

  constructor(
    readonly classId: string,
    readonly share: string,
  ) {}

  /** Number of jobs in the window. */
  get size(): number {
    return this.#jobs.length;
  }

  /** True if all ready jobs of its kind are in it. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** True if it is time to request more from the store. */
  get isLow(): boolean {
    const size = this.#jobs.length - this.#passedOver.size;
    const isFull = this.#jobs.length >= maxWithPassedOver;
    return !this.#isComplete && this.#arrived === undefined && !isFull && size <= this.#limit / 2;
  }

  /** True during a refill. */
  get isRefilling(): boolean {
    return this.#arrived !== undefined;
  }

  /** The job in the window that is served last. */
  get last(): ReadyJob | undefined {
    return this.#jobs[0];
  }

  /** The job that is served next. */
  get head(): ReadyJob | undefined {
    return this.#jobs[this.#jobs.length - 1];
  }

  /** The smallest id in the window, which is that of its oldest job. */
  get oldestId(): string | undefined {
    return this.#jobs.reduce<string | undefined>(
      (oldest, { id }) => (oldest === undefined || id < oldest ? id : oldest),
      undefined,
    );
  }

  /** Returns true if the job is in the window. */
  has(jobId: string): boolean {
    return this.#ids.has(jobId);
  }

  /** The jobs that are served next, at most this many. */
  first(count: number): readonly ReadyJob[] {
    return this.#jobs.slice(-count).reverse();
  }

  /** Number of jobs before the key, or undefined if it is beyond the window. */
  countBefore(key: ReadyKey): number | undefined {
    if (!this.#isComplete && !this.#isInside(key)) return undefined;
    const index = this.#indexOf(key);
    return this.#jobs.length - index - Number(this.#jobs[index]?.id === key.id);
  }

  /** Number of the owner's jobs in the window. */
  countOf(owner: string): number {
    return this.#jobs.reduce((count, job) => count + Number(job.owner === owner), 0);
  }

  /** Removes the head. */
  shift(): ReadyJob | undefined {
    const job = this.#jobs.pop();
    if (!job) return undefined;
    this.#ids.delete(job.id);
    this.#passedOver.delete(job.id);
    this.#taken += 1;
    this.#recordRemoved(job.id);
    return job;
  }

  /**
   * Adds a job that became ready, or whose priority changed. A job beyond the edge is ignored; a refill will
   * read it.
   */
  insert(job: ReadyJob): void {
    if (this.#ids.has(job.id)) this.remove(job.id);
    this.#left.delete(job.id);
    if (this.#isComplete || this.#isInside(job)) this.#insert(job);
    else this.#arrived?.set(job.id, job);
    if (this.#isComplete && this.#jobs.length - this.#passedOver.size > 2 * maxRefill) this.#cut();
  }

  /**
   * Puts heads back that were taken off and wait for another host.
   * @param heads in the order in which they were taken, with no change of the window since the first of them
   */
  passOver(heads: readonly ReadyJob[]): void {
    for (const { id } of heads) {
      this.#ids.add(id);
      this.#passedOver.add(id);
      this.#left.delete(id);
    }
    this.#jobs = [...this.#jobs, ...heads.toReversed()];
  }

  /** Removes a job that is no longer ready. */
  remove(jobId: string): void {
    this.#passedOver.delete(jobId);
    this.#recordRemoved(jobId);
    this.#arrived?.delete(jobId);
    if (!this.#ids.delete(jobId)) return;
    const at = this.#jobs.findIndex(({ id }) => id === jobId);
    if (at >= 0) this.#jobs.splice(at, 1);
  }

  /** Removes the jobs of some tasks. */
  removeTasks(isRemoved: (taskId: string) => boolean): void {
    const jobs = [...this.#jobs, ...(this.#arrived?.values() ?? [])];
    for (const { id, taskId } of jobs)
      if (taskId !== undefined && isRemoved(taskId)) {
        this.#passedOver.delete(id);
        this.#recordRemoved(id);
        this.#arrived?.delete(id);
        this.#ids.delete(id);
      }
    this.#jobs = this.#jobs.filter(({ id }) => this.#ids.has(id));
  }

  /** Begins a refill: changes are recorded until {@link endRefill}. */
  beginRefill(): RefillRequest {
    // A window that is emptied quickly requests more, up to its bound; an idle one less.
    this.#limit = Math.min(maxRefill, Math.max(minRefill, 2 * this.#taken));
    this.#taken = 0;
    this.#arrived = new Map();
    this.#left = new Set();
    return { after: this.#edge, limit: this.#limit };
  }

  /** Ends a refill with the jobs from the store; undefined if it failed. */
  endRefill(request: RefillRequest, found: readonly ReadyJob[] | undefined): void {
    const [arrived, left] = [this.#arrived, this.#left];
    this.#arrived = undefined;
    this.#left = new Set();
    if (!found) return;
    this.#isComplete = found.length < request.limit;
    const last = found[found.length - 1];
    if (last) this.#edge = { priority: last.priority, id: last.id };
    const fresh = found.filter(({ id }) => !this.#ids.has(id) && !left.has(id) && !arrived?.has(id));
    this.#append(fresh);
    for (const job of arrived?.values() ?? []) if (this.#isComplete || this.#isInside(job)) this.#insert(job);
  }

  #isInside(key: ReadyKey): boolean {
    return this.#edge !== undefined && compareKeys(key, this.#edge) <= 0;
  }

  #recordRemoved(jobId: string): void {
    if (this.#arrived) this.#left.add(jobId);
  }

  /** Appends jobs that all come after those in the window. */
  #append(jobs: readonly ReadyJob[]): void {
    for (const { id } of jobs) this.#ids.add(id);
    this.#jobs = [...[...jobs].reverse(), ...this.#jobs];
  }

  #insert(job: ReadyJob): void {
    this.#jobs.splice(this.#indexOf(job), 0, job);
    this.#ids.add(job.id);
  }

  /** The index behind all jobs that are served after the key. */
  #indexOf(key: ReadyKey): number {
    let [low, high] = [0, this.#jobs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#jobs[middle] as ReadyJob, key) > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Cuts a window that has grown by arrivals back to its bound; the store keeps the rest. */
  #cut(): void {
    const beyond = this.#jobs.splice(0, this.#jobs.length - this.#passedOver.size - maxRefill);
    for (const { id } of beyond) {
      this.#ids.delete(id);
      this.#passedOver.delete(id);
    }
    const edge = this.#jobs[0];
    this.#edge = edge && { priority: edge.priority, id: edge.id };
    this.#isComplete = false;
  }
}
