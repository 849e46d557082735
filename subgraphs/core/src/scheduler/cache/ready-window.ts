/**
 * A bounded window on the ready jobs of one (class, share), by priority and age. It holds every ready job up to its edge and none beyond, so
 * its head is the true head; what lies beyond is fetched from the store when the window runs low. 10 million jobs behind it cost nothing.
 */
import type { ReadyJob } from '../scheduler.types.js';

/** Where a job stands in its window: a higher priority first, then the smaller (older) id. */
export interface ReadyKey {
  readonly priority: number;
  readonly id: string;
}

/** Negative if `a` is served before `b`. */
export function compareKeys(a: ReadyKey, b: ReadyKey): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** What to ask the store for: jobs behind `after`, so many. */
export interface RefillRequest {
  readonly after: ReadyKey | undefined;
  readonly limit: number;
}

export const minRefill = 128;
export const maxRefill = 4096;

/** See the head of this file. */
export class ReadyWindow {
  /** Sorted backwards, so that the head is taken off the end. */
  #jobs: ReadyJob[] = [];
  readonly #ids = new Set<string>();
  /** Everything up to here is in the window. Undefined: nothing is known yet. */
  #edge: ReadyKey | undefined;
  /** Nothing lies beyond the window. */
  #isComplete = false;
  #taken = 0;
  #limit = minRefill;
  /** While a refill is under way: what arrived beyond the edge, and what left. */
  #arrived: Map<string, ReadyJob> | undefined;
  #left = new Set<string>();

  constructor(
    readonly classId: string,
    readonly share: string,
  ) {}

  /** Jobs in the window. */
  get size(): number {
    return this.#jobs.length;
  }

  /** Whether all ready jobs of its kind are in it. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Whether it is time to ask the store for more. */
  get isLow(): boolean {
    return !this.#isComplete && this.#arrived === undefined && this.#jobs.length <= this.#limit / 2;
  }

  /** Whether a refill is under way. */
  get isRefilling(): boolean {
    return this.#arrived !== undefined;
  }

  /** The job to serve last of those in the window. */
  get last(): ReadyJob | undefined {
    return this.#jobs[0];
  }

  /** The job to serve next. */
  get head(): ReadyJob | undefined {
    return this.#jobs[this.#jobs.length - 1];
  }

  /** How many come before a place, or undefined if the window does not reach so far. */
  countBefore(key: ReadyKey): number | undefined {
    if (!this.#isComplete && !this.#isInside(key)) return undefined;
    const index = this.#indexOf(key);
    return this.#jobs.length - index - Number(this.#jobs[index]?.id === key.id);
  }

  /** How many of its jobs are this owner's. */
  countOf(owner: string): number {
    return this.#jobs.reduce((count, job) => count + Number(job.owner === owner), 0);
  }

  /** Takes the head out. */
  shift(): ReadyJob | undefined {
    const job = this.#jobs.pop();
    if (!job) return undefined;
    this.#ids.delete(job.id);
    this.#taken += 1;
    this.#noteLeft(job.id);
    return job;
  }

  /** Takes in a job that became ready, or whose priority changed. What lies beyond the edge is left to the store. */
  put(job: ReadyJob): void {
    if (this.#ids.has(job.id)) this.remove(job.id);
    this.#left.delete(job.id);
    if (this.#isComplete || this.#isInside(job)) this.#insert(job);
    else this.#arrived?.set(job.id, job);
    if (this.#isComplete && this.#jobs.length > 2 * maxRefill) this.#cut();
  }

  /** Takes out a job that is not ready any more. */
  remove(jobId: string): void {
    this.#noteLeft(jobId);
    this.#arrived?.delete(jobId);
    if (!this.#ids.delete(jobId)) return;
    const at = this.#jobs.findIndex(({ id }) => id === jobId);
    if (at >= 0) this.#jobs.splice(at, 1);
  }

  /** Begins a refill: what happens from now on is remembered until {@link endRefill}. */
  beginRefill(): RefillRequest {
    // A window that was emptied quickly asks for more, up to its bound; a quiet one for less.
    this.#limit = Math.min(maxRefill, Math.max(minRefill, 2 * this.#taken));
    this.#taken = 0;
    this.#arrived = new Map();
    this.#left = new Set();
    return { after: this.#edge, limit: this.#limit };
  }

  /** Ends a refill with what the store gave; undefined if it failed. */
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

  /** Forgets everything, for a new start from the store. */
  reset(): void {
    this.#jobs = [];
    this.#ids.clear();
    this.#edge = undefined;
    this.#isComplete = false;
    this.#arrived = undefined;
  }

  #isInside(key: ReadyKey): boolean {
    return this.#edge !== undefined && compareKeys(key, this.#edge) <= 0;
  }

  #noteLeft(jobId: string): void {
    if (this.#arrived) this.#left.add(jobId);
  }

  /** All of them come behind everything in the window. */
  #append(jobs: readonly ReadyJob[]): void {
    for (const { id } of jobs) this.#ids.add(id);
    this.#jobs = [...[...jobs].reverse(), ...this.#jobs];
  }

  #insert(job: ReadyJob): void {
    this.#jobs.splice(this.#indexOf(job), 0, job);
    this.#ids.add(job.id);
  }

  /** The index behind all that are served after the key. */
  #indexOf(key: ReadyKey): number {
    let [low, high] = [0, this.#jobs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#jobs[middle] as ReadyJob, key) > 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** A window that grew by arrivals alone is cut back to its bound: the rest is left to the store. */
  #cut(): void {
    const beyond = this.#jobs.splice(0, this.#jobs.length - maxRefill);
    for (const { id } of beyond) this.#ids.delete(id);
    const edge = this.#jobs[0];
    this.#edge = edge && { priority: edge.priority, id: edge.id };
    this.#isComplete = false;
  }
}
