/** Reads jobs for events: what all subscribers ask for in one turn is one query, each job once. */
import type { JobDocument } from '../../jobs/model/job.types.js';

/** Stored fields to read, beside the id. */
export type JobFields = Readonly<Record<string, 1>>;

/** Reads jobs by id, in any order. */
export type ReadJobs = (ids: readonly string[], fields: JobFields) => Promise<readonly JobDocument[]>;

type PendingAcquire = {
  readonly resolve: (job: JobDocument | null) => void;
  readonly reject: (error: unknown) => void;
};

/** Jobs in one query at most. */
const maxBatch = 1000;

/** See the head of this file. Nothing is kept beyond the turn: an event shows its job as it is then, or newer. */
export class JobBatchReader {
  readonly #read: ReadJobs;
  /** Those who wait, by the fields they need; the same selection brings the same fields. */
  #waiting = new Map<JobFields, Map<string, PendingAcquire[]>>();

  constructor(read: ReadJobs) {
    this.#read = read;
  }

  /** One job, or null where it is gone. */
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
