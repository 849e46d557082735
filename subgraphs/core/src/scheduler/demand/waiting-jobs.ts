/**
 * Numbers of ready jobs by class and share. Complete windows are counted in memory; of the others, the store
 * counts a bounded number of entries of an index, and not again for a while.
 */
import type { Clock } from '@rhizome/clock';
import { forEachConcurrently } from '@rhizome/retry';
import type { ReadyJobsRepository } from '../cache/ready-jobs.repository.js';
import type { ReadyWindow } from '../cache/ready-window.js';
import type { ReadyWindows } from '../cache/ready-windows.js';

/** Ready jobs of a class and share. */
export interface WaitingJobs {
  readonly classId: string;
  readonly share: string;
  readonly jobs: number;
  /** True if there may be more. */
  readonly isAtLeast: boolean;
  /** The smallest id among those that were looked at. */
  readonly oldestId: string | undefined;
}

/** Dependencies of {@link WaitingJobsCounter}. */
export interface WaitingJobsOptions {
  readonly jobs: Pick<ReadyJobsRepository, 'count'>;
  readonly clock: Clock;
}

type Count = Pick<WaitingJobs, 'jobs' | 'isAtLeast' | 'oldestId'>;

/** Most jobs of one window that the store counts. */
const mostCounted = 20_000;
/** Most windows that the store counts for one question, those first whose counts are the oldest. */
const mostWindows = 200;
const keptMs = 2000;
const countedAtOnce = 8;

/** Counts ready jobs. */
export class WaitingJobsCounter {
  readonly #options: WaitingJobsOptions;
  #known = new Map<string, Count & { readonly atMs: number }>();

  constructor(options: WaitingJobsOptions) {
    this.#options = options;
  }

  /** Ready jobs by class and share, of windows with any. */
  async count(windows: Pick<ReadyWindows, 'all'>): Promise<readonly WaitingJobs[]> {
    const now = this.#options.clock.monotonicMs();
    const all = [...windows.all()];
    const partial = all.filter(({ isComplete }) => !isComplete);
    const due = partial
      .filter((window) => now - this.#countedAt(window) > keptMs)
      .sort((one, other) => this.#countedAt(one) - this.#countedAt(other));
    await forEachConcurrently(due.slice(0, mostWindows), countedAtOnce, (window) => this.#read(window, now));
    const keys = new Set(partial.map((window) => keyOf(window)));
    this.#known = new Map([...this.#known].filter(([key]) => keys.has(key)));
    return all
      .map((window) => ({ classId: window.classId, share: window.share, ...this.#countOf(window) }))
      .filter(({ jobs }) => jobs > 0);
  }

  #countedAt(window: ReadyWindow): number {
    return this.#known.get(keyOf(window))?.atMs ?? Number.MIN_SAFE_INTEGER;
  }

  #countOf(window: ReadyWindow): Count {
    const { size, isComplete, oldestId } = window;
    const counted = isComplete ? undefined : this.#known.get(keyOf(window));
    if (!counted || counted.jobs < size) return { jobs: size, isAtLeast: !isComplete, oldestId };
    const { jobs, isAtLeast } = counted;
    return { jobs, isAtLeast, oldestId: earlier(oldestId, counted.oldestId) };
  }

  async #read(window: ReadyWindow, atMs: number): Promise<void> {
    const { jobs, oldestId } = await this.#options.jobs.count(window, mostCounted);
    this.#known.set(keyOf(window), { jobs, oldestId, isAtLeast: jobs >= mostCounted, atMs });
  }
}

function keyOf({ classId, share }: ReadyWindow): string {
  return `${classId} ${share}`;
}

function earlier(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one < other ? one : other;
}
