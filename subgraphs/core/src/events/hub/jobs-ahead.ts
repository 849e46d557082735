/**
 * Jobs of events that a stream tells one after the other, read together: a round to the store for each would let a stream that reads more of its
 * jobs than events tell fall behind as soon as jobs move faster than the store answers.
 */
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { JobFields } from './job-batch-reader.js';
import type { StreamedJobEvent } from '../feed/job-event.js';

/** Jobs that are read together at most. */
const together = 50;

/** What was read with the same fields. */
interface Window {
  readonly from: number;
  readonly jobs: readonly Promise<JobDocument | null>[];
}

/** Reads one job with the fields that are asked for. */
export type LoadJob = (id: string) => Promise<JobDocument | null>;

/** The jobs of the events of one batch. All of these have happened: whatever is read now is none of a job before its event. */
export class JobsAhead {
  #events: readonly StreamedJobEvent[];
  readonly #windows = new Map<JobFields, Window>();

  constructor(events: readonly StreamedJobEvent[]) {
    this.#events = events;
  }

  /** The batch was told to its end: an answer that is kept for others must not keep all of it. */
  release(): void {
    this.#events = [];
    this.#windows.clear();
  }

  /** The job of an event with these fields, and those of the events that follow it in the same go; undefined once released. */
  load(at: number, fields: JobFields, load: LoadJob): Promise<JobDocument | null> | undefined {
    const known = this.#windows.get(fields);
    const found = known?.jobs[at - known.from];
    if (found) return found;
    const events = this.#events.slice(at, known && at < known.from ? at + 1 : at + together);
    const jobs = events.map(({ jobId }) => load(jobId));
    const window = { from: at, jobs };
    // One who comes late reads its own job alone.
    if (!known || at > known.from) this.#windows.set(fields, window);
    for (const job of jobs) job.catch(() => this.#forget(fields, window));
    return jobs[0];
  }

  /** What could not be read is asked for again by the next event. */
  #forget(fields: JobFields, window: Window): void {
    if (this.#windows.get(fields) === window) this.#windows.delete(fields);
  }
}
