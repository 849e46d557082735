/**
 * Workers on which attempts end for a waiting job: until that job is placed, they get no job of a lower
 * priority. Kept by the leader, which also stores them for the next one.
 */
import type { CandidateRequest } from '../placement/matcher.types.js';

/** The job for which a worker is held. */
export interface PreemptionHold {
  readonly jobId: string;
  readonly priority: number;
  /** Time at which the hold ends at the latest, in milliseconds of the clock of the day. */
  readonly untilMs: number;
}

/** A worker with its hold. */
export type HeldWorker = readonly [workerId: string, hold: PreemptionHold];

type Asking<T> = readonly [T, CandidateRequest];

/** Requests with the lowest priority of the jobs that they may get. */
export interface HeldGroup<T> {
  readonly minimumPriority: number | undefined;
  readonly members: readonly Asking<T>[];
}

/** Holds, by worker. */
export class PreemptionHolds {
  readonly #holds: Map<string, PreemptionHold>;

  /** @param stored those of an earlier leader */
  constructor(stored: readonly HeldWorker[] = []) {
    this.#holds = new Map(stored);
  }

  /** True if no worker is held. */
  get isEmpty(): boolean {
    return this.#holds.size === 0;
  }

  /** The hold of a worker; undefined without one. */
  of(workerId: string): PreemptionHold | undefined {
    return this.#holds.get(workerId);
  }

  /** True if a worker is held for the job. */
  isFor(jobId: string): boolean {
    for (const hold of this.#holds.values()) if (hold.jobId === jobId) return true;
    return false;
  }

  /** Holds a worker, unless it is held already. */
  add(workerId: string, hold: PreemptionHold): void {
    if (!this.#holds.has(workerId)) this.#holds.set(workerId, hold);
  }

  /** Ends holds of jobs that no longer wait, and those that last too long. @returns those that ended */
  prune(isWaiting: (jobId: string) => boolean, nowMs: number): readonly HeldWorker[] {
    const ended = [...this.#holds].filter(([, { jobId, untilMs }]) => nowMs >= untilMs || !isWaiting(jobId));
    for (const [workerId] of ended) this.#holds.delete(workerId);
    return ended;
  }

  /** Divides requests by what their workers may get; held workers come first. */
  groups<T>(all: readonly Asking<T>[]): readonly HeldGroup<T>[] {
    if (this.#holds.size === 0) return [{ minimumPriority: undefined, members: all }];
    const groups = new Map<number | undefined, Asking<T>[]>();
    for (const one of all) {
      const minimum = this.of(one[1].worker.facts.id)?.priority;
      groups.set(minimum, [...(groups.get(minimum) ?? []), one]);
    }
    return [...groups]
      .map(([minimumPriority, members]) => ({ minimumPriority, members }))
      .sort((a, b) => (b.minimumPriority ?? -Infinity) - (a.minimumPriority ?? -Infinity));
  }
}
