/**
 * Reads the jobs of consecutive events of a stream together. With one query for each event, a stream that
 * selects more of its jobs than the events contain would fall behind as soon as jobs move faster than the
 * store answers.
 */
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { JobFields } from './job-batch-reader.js';
import type { StreamedJobEvent } from '../feed/job-event.js';

/** Most jobs that are read together. */
const together = 50;

/** Jobs that were read with the same fields. */
interface Window {
  readonly from: number;
  readonly jobs: readonly Promise<JobDocument | null>[];
}

/** Reads one job with the requested fields. */
export type LoadJob = (id: string) => Promise<JobDocument | null>;

/**
 * The jobs of the events of one batch. All of these events have happened, so that no job is read as it was
 * before its event.
 */
export class JobsAhead {
  #events: readonly StreamedJobEvent[];
  readonly #windows = new Map<JobFields, Window>();

  constructor(events: readonly StreamedJobEvent[]) {
    this.#events = events;
  }

  /** Releases the batch after its last event: a message that is kept for others must not keep all of it. */
  release(): void {
    this.#events = [];
    this.#windows.clear();
  }

  /**
   * The job of an event with these fields, read together with those of the following events; undefined once
   * released.
   */
  load(at: number, fields: JobFields, load: LoadJob): Promise<JobDocument | null> | undefined {
    const known = this.#windows.get(fields);
    const found = known?.jobs[at - known.from];
    if (found) return found;
    const events = this.#events.slice(at, known && at < known.from ? at + 1 : at + together);
    const jobs = events.map(({ jobId }) => load(jobId));
    const window = { from: at, jobs };
    // A late request reads only its own job.
    if (!known || at > known.from) this.#windows.set(fields, window);
    for (const job of jobs) job.catch(() => this.#forget(fields, window));
    return jobs[0];
  }

  /** A failed read is repeated by the next event. */
  #forget(fields: JobFields, window: Window): void {
    if (this.#windows.get(fields) === window) this.#windows.delete(fields);
  }
}
