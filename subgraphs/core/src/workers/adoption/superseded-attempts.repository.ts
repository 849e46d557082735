/** Records on attempts of jobs how long their payloads ran without use. Changes no state of a job. */
import type { AnyBulkWriteOperation, Collection } from 'mongodb';
import type { JobDocument } from '../../jobs/model/job.types.js';

/** An attempt that another one has replaced when its worker returned. */
export interface SupersededAttempt {
  readonly jobId: string;
  readonly fence: number;
  readonly lostSeconds: number;
}

/** Writes to superseded attempts. */
export class SupersededAttemptsRepository {
  readonly #jobs: Collection<JobDocument>;
  constructor(jobs: Collection<JobDocument>) {
    this.#jobs = jobs;
  }

  /** Records the time of attempts that another one has replaced, once each. */
  async record(attempts: readonly SupersededAttempt[]): Promise<void> {
    if (attempts.length === 0) return;
    const operations = attempts.map(({ jobId, fence, lostSeconds }): AnyBulkWriteOperation<JobDocument> => ({
      updateOne: {
        filter: { _id: jobId, attempts: { $elemMatch: { fence, unreachable: { $exists: true } } } },
        update: {
          $set: { 'attempts.$.lostSeconds': lostSeconds },
          $unset: { 'attempts.$.unreachable': '' },
        },
      },
    }));
    await this.#jobs.bulkWrite(operations, { ordered: false, writeConcern: { w: 'majority' } });
  }
}
