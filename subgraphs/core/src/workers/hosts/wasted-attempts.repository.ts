/** Access to jobs whose attempts were wasted on hosts. */
import type { AnyBulkWriteOperation, Collection } from 'mongodb';
import { terminalStates } from '../../jobs/model/job-state.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import { givingBack } from '../../jobs/transitions/uncounted-ends.js';
import type { WastedAttempt } from './host.document.js';

/** A job that a host made FAILED. */
export interface FailedByHost {
  readonly id: string;
  readonly experiment: string;
}

/** Gives attempts back, and finds the jobs to retry. */
export class WastedAttemptsRepository {
  readonly #jobs: Collection<JobDocument>;

  constructor(jobs: Collection<JobDocument>) {
    this.#jobs = jobs;
  }

  /**
   * Gives attempts back to jobs that live. The mark of the attempt and the count of the job are one update,
   * so that an attempt is given back once, however often and by how many processes this is called. Attempts
   * that a job no longer lists stay as they are.
   */
  async giveBack(attempts: readonly WastedAttempt[]): Promise<void> {
    if (attempts.length === 0) return;
    const operations = attempts.map(({ jobId, attempt }): AnyBulkWriteOperation<JobDocument> => ({
      updateOne: {
        filter: {
          _id: jobId,
          state: { $nin: [...terminalStates] },
          attempts: { $elemMatch: { number: attempt, outcome: 'FAILED', uncounted: { $exists: false } } },
        },
        update: [{ $set: givingBack(attempt) }],
      },
    }));
    await this.#jobs.bulkWrite(operations, { ordered: false, writeConcern: { w: 'majority' } });
  }

  /** Jobs that one of the attempts made FAILED, that a rule retries, and that nobody has retried. */
  async toRetry(attempts: readonly WastedAttempt[]): Promise<readonly FailedByHost[]> {
    const numbers = new Map(attempts.map(({ jobId, attempt }) => [jobId, attempt]));
    const found = await this.#jobs
      .find(
        { _id: { $in: [...numbers.keys()] }, state: 'FAILED', retriedBy: { $exists: false } },
        {
          readConcern: { level: 'majority' },
          projection: {
            experiment: 1,
            attempt: 1,
            'attempts.number': 1,
            'attempts.decision.effects.kind': 1,
          },
        },
      )
      .toArray();
    return found.flatMap(({ _id: id, experiment, attempt, attempts: listed }) => {
      if (numbers.get(id) !== attempt) return [];
      const effects = listed.find(({ number }) => number === attempt)?.decision?.effects ?? [];
      return effects.some(({ kind }) => kind === 'RETRY_IF_HOST_EXCLUDED') ? [{ id, experiment }] : [];
    });
  }
}
