/** Reads jobs for events: what all subscribers ask for in one turn is one query, each job once. */
import type { JobDocument } from '../jobs/job.types.js';

/** Reads jobs by id, in any order. */
export type ReadJobs = (ids: readonly string[]) => Promise<readonly JobDocument[]>;

type Waiter = { readonly resolve: (job: JobDocument | null) => void; readonly reject: (error: unknown) => void };

/** Jobs in one query at most. */
const maxBatch = 1000;

/** See the head of this file. Nothing is kept beyond the turn: an event shows its job as it is then, or newer. */
export class JobBatchReader {
  readonly #read: ReadJobs;
  #waiting = new Map<string, Waiter[]>();

  constructor(read: ReadJobs) {
    this.#read = read;
  }

  /** One job, or null where it is gone. */
  load(id: string): Promise<JobDocument | null> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) setImmediate(() => this.#flush());
      const waiters = this.#waiting.get(id);
      if (waiters) waiters.push({ resolve, reject });
      else this.#waiting.set(id, [{ resolve, reject }]);
    });
  }

  #flush(): void {
    const all = [...this.#waiting];
    this.#waiting = new Map();
    for (let at = 0; at < all.length; at += maxBatch) void this.#answer(all.slice(at, at + maxBatch));
  }

  async #answer(batch: readonly (readonly [string, readonly Waiter[]])[]): Promise<void> {
    try {
      const found = new Map((await this.#read(batch.map(([id]) => id))).map((job) => [job._id, job]));
      for (const [id, waiters] of batch) waiters.forEach(({ resolve }) => resolve(found.get(id) ?? null));
    } catch (error) {
      for (const [, waiters] of batch) waiters.forEach(({ reject }) => reject(error));
    }
  }
}
