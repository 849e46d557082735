/**
 * Counts of jobs by task and state. Tasks whose jobs have all ended are forgotten after some time, the one
 * that changed longest ago first; their counts are read with an index on request.
 */
import { isTerminal, jobStates, type JobState } from '../../jobs/model/job-state.js';
import type { StateCounts } from '../../jobs/ports.js';
import type { StreamedJobEvent } from '../feed/job-event.js';

/** Number of parts in which tasks are stored; a part is written when one of its tasks has changed. */
export const taskParts = 64;

/** A stored task, with its counts in the order of {@link jobStates}. */
export interface TaskCountRow {
  readonly task: string;
  readonly counts: readonly number[];
}

const indexOf = new Map(jobStates.map((state, index) => [state, index]));
const live = jobStates.map((state) => !isTerminal(state));

/** Counts of the tasks in memory. */
export class TaskCounts {
  readonly #open = new Map<string, number[]>();
  /** Tasks without live jobs; the one that changed longest ago first. */
  readonly #idle = new Map<string, number[]>();
  readonly #maxIdle: number;
  /** Unknown tasks up to this id may have been forgotten; ids grow with time. */
  #forgottenUpTo: string;
  #changedParts = new Set<number>();

  constructor(maxIdle = 10_000, forgottenUpTo = '') {
    this.#maxIdle = maxIdle;
    this.#forgottenUpTo = forgottenUpTo;
  }

  /** Id up to which unknown tasks may have been forgotten. */
  get forgottenUpTo(): string {
    return this.#forgottenUpTo;
  }

  /** Applies one event. @returns true if it belongs to a task in memory */
  apply({ last }: StreamedJobEvent): boolean {
    const { taskId, from, to } = last;
    if (taskId === undefined) return false;
    const counts = this.#find(taskId) ?? this.#begin(taskId);
    if (!counts) return false;
    if (from !== null) add(counts, from, -1);
    add(counts, to, 1);
    this.#changedParts.add(partOf(taskId));
    this.#add(taskId, counts);
    return true;
  }

  /** Sets counts that were read. */
  set({ task, counts }: TaskCountRow): void {
    this.#add(task, [...counts]);
  }

  /** Counts of a task, or undefined if they are not in memory. A task without events has no jobs. */
  get(taskId: string): StateCounts | undefined {
    const counts = this.#find(taskId);
    if (!counts) return taskId > this.#forgottenUpTo ? {} : undefined;
    return Object.fromEntries(
      jobStates.flatMap((state, index) => (counts[index] ? [[state, counts[index]]] : [])),
    );
  }

  /** Parts that changed since the last call. */
  drainChangedParts(): ReadonlySet<number> {
    const changed = this.#changedParts;
    this.#changedParts = new Set();
    return changed;
  }

  /** The stored form of the tasks of some parts, by part. */
  rowsOf(parts: ReadonlySet<number>): ReadonlyMap<number, readonly TaskCountRow[]> {
    const rows = new Map<number, TaskCountRow[]>([...parts].map((part) => [part, []]));
    for (const tasks of [this.#open, this.#idle]) {
      for (const [task, counts] of tasks) rows.get(partOf(task))?.push({ task, counts: [...counts] });
    }
    return rows;
  }

  #find(taskId: string): number[] | undefined {
    return this.#open.get(taskId) ?? this.#idle.get(taskId);
  }

  #begin(taskId: string): number[] | undefined {
    return taskId > this.#forgottenUpTo ? new Array<number>(jobStates.length).fill(0) : undefined;
  }

  #add(taskId: string, counts: number[]): void {
    const isOpen = counts.some((count, index) => count !== 0 && live[index]);
    this.#idle.delete(taskId);
    if (isOpen) {
      this.#open.set(taskId, counts);
      return;
    }
    this.#open.delete(taskId);
    this.#idle.set(taskId, counts);
    if (this.#idle.size <= this.#maxIdle) return;
    const [oldest] = this.#idle.keys();
    if (oldest === undefined) return;
    this.#idle.delete(oldest);
    this.#changedParts.add(partOf(oldest));
    if (oldest > this.#forgottenUpTo) this.#forgottenUpTo = oldest;
  }
}

function add(counts: number[], state: JobState, by: number): void {
  const index = indexOf.get(state);
  if (index !== undefined) counts[index] = (counts[index] ?? 0) + by;
}

function partOf(taskId: string): number {
  let hash = 0;
  for (let at = 0; at < taskId.length; at++) hash = (hash * 31 + taskId.charCodeAt(at)) | 0;
  return Math.abs(hash) % taskParts;
}
