/** Numbers of jobs by experiment, queue, share and state: kept by adding and subtracting, never by counting. */
import type { JobState } from '../../jobs/job-state.js';
import type { JobEvent } from '../job-event.js';

/** One number. */
export interface JobCountRow {
  readonly experiment: string;
  /** Null before a job is sent. */
  readonly queue: string | null;
  readonly share: string;
  readonly state: JobState;
  readonly count: number;
}

interface Cell {
  readonly experiment: string;
  readonly queue: string | null;
  readonly share: string;
  readonly state: JobState;
  count: number;
  /** The change of the table that touched it last. */
  changedAt: number;
}

/** See the head of this file. */
export class JobCounts {
  readonly #cells = new Map<string, Cell>();
  /** Grows with each change. */
  #changes = 0;

  /** Grows with each change. */
  get changes(): number {
    return this.#changes;
  }

  /** Takes one event in. */
  apply({ last }: JobEvent): void {
    const { experiment, share, from, to } = last;
    const queue = last.queue ?? null;
    if (from !== null) this.#add(experiment, queueBefore(last), share, from, -1);
    this.#add(experiment, queue, share, to, 1);
  }

  /** Puts a number where it was read. */
  set({ experiment, queue, share, state, count }: JobCountRow): void {
    this.#changes += 1;
    const key = keyOf(experiment, queue, share, state);
    this.#cells.set(key, { experiment, queue, share, state, count, changedAt: this.#changes });
  }

  /** All numbers but those of nothing. */
  rows(): JobCountRow[] {
    return [...this.#cells.values()].filter(({ count }) => count !== 0).map(rowOf);
  }

  /** Numbers that changed after that many changes, zeros among them. */
  changedSince(changes: number): JobCountRow[] {
    return [...this.#cells.values()].filter(({ changedAt }) => changedAt > changes).map(rowOf);
  }

  /** The sum over what a test picks. */
  sum(picks: (row: Omit<JobCountRow, 'count'>) => boolean): number {
    let sum = 0;
    for (const cell of this.#cells.values()) if (picks(cell)) sum += cell.count;
    return sum;
  }

  #add(experiment: string, queue: string | null, share: string, state: JobState, by: number): void {
    this.#changes += 1;
    const key = keyOf(experiment, queue, share, state);
    const cell = this.#cells.get(key);
    if (cell) {
      cell.count += by;
      cell.changedAt = this.#changes;
    } else this.#cells.set(key, { experiment, queue, share, state, count: by, changedAt: this.#changes });
  }
}

function keyOf(experiment: string, queue: string | null, share: string, state: JobState): string {
  return `${share}\n${queue ?? ''}\n${state}\n${experiment}`;
}

function rowOf({ experiment, queue, share, state, count }: Cell): JobCountRow {
  return { experiment, queue, share, state, count };
}

/**
 * The queue that the job was counted under before. A grant alone changes it: the first one comes from none, a later one names the queue
 * before where it was another.
 */
function queueBefore(last: JobEvent['last']): string | null {
  if (last.to === 'SENT' && last.from !== 'SENT') {
    return last.attempt <= 1 ? null : (last.previousQueue ?? last.queue ?? null);
  }
  return last.queue ?? null;
}
