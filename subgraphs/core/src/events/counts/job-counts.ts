/** Counts of jobs by experiment, queue, GPU model, share and state, kept by adding and subtracting. */
import type { JobState } from '../../jobs/model/job-state.js';
import type { StoredGpuGrant } from '../../jobs/model/job.types.js';
import type { StreamedJobEvent } from '../feed/job-event.js';

/** One count. */
export interface JobCountRow {
  readonly experiment: string;
  /** Null before a job is sent. */
  readonly queue: string | null;
  /** Model of the GPUs that the jobs were given; null for jobs without GPUs. */
  readonly gpuModel: string | null;
  readonly share: string;
  readonly state: JobState;
  readonly count: number;
  /** Number of GPUs of these jobs; a share of a GPU counts as its fraction. */
  readonly gpus: number;
}

/** A row of the table. */
type CountKey = Omit<JobCountRow, 'count' | 'gpus'>;

interface Cell extends CountKey {
  count: number;
  gpus: number;
  /** Version of the table at the last change of this row. */
  changedAt: number;
}

/** A table of counts. */
export class JobCounts {
  readonly #cells = new Map<string, Cell>();
  /** Grows with each change. */
  #changes = 0;

  /** Grows with each change. */
  get changes(): number {
    return this.#changes;
  }

  /** Applies one event. */
  apply({ last }: StreamedJobEvent): void {
    const { experiment, share, from, to, gpu } = last;
    if (from !== null) {
      const before = gpuBefore(last);
      const countKey = {
        experiment,
        queue: queueBefore(last),
        gpuModel: before?.model ?? null,
        share: last.previousShare ?? share,
        state: from,
      };
      this.#add(countKey, -1, -(before?.count ?? 0));
    }
    const countKey = {
      experiment,
      queue: last.queue ?? null,
      gpuModel: gpu?.model ?? null,
      share,
      state: to,
    };
    this.#add(countKey, 1, gpu?.count ?? 0);
  }

  /** Sets a count that was read. */
  set({ experiment, queue, gpuModel, share, state, count, gpus }: StoredCountRow): void {
    this.#changes += 1;
    const countKey = { experiment, queue, gpuModel: gpuModel ?? null, share, state };
    this.#cells.set(keyOf(countKey), { ...countKey, count, gpus: gpus ?? 0, changedAt: this.#changes });
  }

  /** All counts above zero. */
  rows(): JobCountRow[] {
    return [...this.#cells.values()].filter(({ count }) => count !== 0).map(rowOf);
  }

  /** Counts that changed after this version, zeros included. */
  changedSince(changes: number): JobCountRow[] {
    return [...this.#cells.values()].filter(({ changedAt }) => changedAt > changes).map(rowOf);
  }

  /**
   * All counts for a consumer that has seen those of another table; rows that only the other table has are
   * zero.
   */
  insteadOf(other: JobCounts): JobCountRow[] {
    const gone = [...other.#cells].filter(([key]) => !this.#cells.has(key));
    return [...this.#cells.values(), ...gone.map(([, cell]) => ({ ...cell, count: 0, gpus: 0 }))].map(rowOf);
  }

  /** The sum of the counts that a test selects. */
  sum(picks: (row: Omit<JobCountRow, 'count'>) => boolean): number {
    let sum = 0;
    for (const cell of this.#cells.values()) if (picks(cell)) sum += cell.count;
    return sum;
  }

  #add(countKey: CountKey, by: number, gpus: number): void {
    this.#changes += 1;
    const key = keyOf(countKey);
    const cell = this.#cells.get(key);
    if (cell) {
      cell.count += by;
      // Fractions of devices do not add up exactly in binary.
      cell.gpus = Math.round((cell.gpus + gpus) * 1000) / 1000;
      cell.changedAt = this.#changes;
    } else this.#cells.set(key, { ...countKey, count: by, gpus, changedAt: this.#changes });
  }
}

/** A stored row; rows that were stored before there were GPUs have no GPU model. */
export type StoredCountRow = Omit<JobCountRow, 'gpuModel' | 'gpus'> &
  Partial<Pick<JobCountRow, 'gpuModel' | 'gpus'>>;

function keyOf({ experiment, queue, gpuModel, share, state }: CountKey): string {
  return `${share}\n${queue ?? ''}\n${state}\n${experiment}\n${gpuModel ?? ''}`;
}

function rowOf({ experiment, queue, gpuModel, share, state, count, gpus }: Cell): JobCountRow {
  return { experiment, queue, gpuModel, share, state, count, gpus };
}

/**
 * The queue that the job was counted under before. Only a grant changes it: the first one from none, a later
 * one names the previous queue if it was another.
 */
function queueBefore(last: StreamedJobEvent['last']): string | null {
  if (last.to === 'SENT' && last.from !== 'SENT') {
    return last.attempt <= 1 ? null : (last.previousQueue ?? last.queue ?? null);
  }
  return last.queue ?? null;
}

/** The GPUs that the job was counted with before, see {@link queueBefore}; null for none. */
function gpuBefore(last: StreamedJobEvent['last']): StoredGpuGrant | null | undefined {
  if (last.to === 'SENT' && last.from !== 'SENT') {
    if (last.attempt <= 1) return null;
    return last.previousGpu === undefined ? last.gpu : last.previousGpu;
  }
  return last.gpu;
}
