/** Reads jobs for events: the requests of all subscribers in one turn are one query, with each job once. */
import type { JobDocument } from '../../jobs/model/job.types.js';

/** Stored fields to read, in addition to the id. */
export type JobFields = Readonly<Record<string, 1>>;

/** Reads jobs by id, in any order. */
export type ReadJobs = (ids: readonly string[], fields: JobFields) => Promise<readonly JobDocument[]>;

type PendingAcquire = {
  readonly resolve: (job: JobDocument | null) => void;
  readonly reject: (error: unknown) => void;
};

/** Most jobs in one query. */
const maxBatch = 1000;

/**
 * Reads jobs in batches. Nothing is cached beyond the turn: an event shows its job at that time, or newer.
 */
export class JobBatchReader {
  readonly #read: ReadJobs;
  /** Waiting requests by the fields that they need; equal selections need equal fields. */
  #waiting = new Map<JobFields, Map<string, PendingAcquire[]>>();

  constructor(read: ReadJobs) {
    this.#read = read;
  }

  /** One job, or null if it was removed. */
  load(id: string, fields: JobFields): Promise<JobDocument | null> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) setImmediate(() => this.#flush());
      const group = this.#waiting.get(fields) ?? new Map<string, PendingAcquire[]>();
      this.#waiting.set(fields, group);
      const waiters = group.get(id);
      if (waiters) waiters.push({ resolve, reject });
      else group.set(id, [{ resolve, reject }]);
    });
  }

  #flush(): void {
    const groups = this.#waiting;
    this.#waiting = new Map();
    for (const [fields, group] of groups) {
      const all = [...group];
      for (let at = 0; at < all.length; at += maxBatch)
        void this.#answer(all.slice(at, at + maxBatch), fields);
    }
  }

  async #answer(
    batch: readonly (readonly [string, readonly PendingAcquire[]])[],
    fields: JobFields,
  ): Promise<void> {
    try {
      const found = new Map(
        (
          await this.#read(
            batch.map(([id]) => id),
            fields,
          )
        ).map((job) => [job._id, job]),
      );
      for (const [id, waiters] of batch) waiters.forEach(({ resolve }) => resolve(found.get(id) ?? null));
    } catch (error) {
      for (const [, waiters] of batch) waiters.forEach(({ reject }) => reject(error));
    }
  }
}
