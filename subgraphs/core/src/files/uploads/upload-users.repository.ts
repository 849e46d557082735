/** Search for live jobs that use an upload. */
import { isOverTime } from '@rhizome/mongo';
import type { Collection } from 'mongodb';
import { jobIndex } from '../../jobs/model/job.document.js';
import { liveStates } from '../../jobs/model/job-state.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { UploadDocument } from './upload.document.js';

/** Longest time of a search, in milliseconds. */
const longestMs = 10_000;

/** Finds jobs that use uploads. */
export class UploadUsers {
  readonly #jobs: Collection<JobDocument>;

  constructor(jobs: Collection<JobDocument>) {
    this.#jobs = jobs;
  }

  /** Id of a live job that uses the upload; null if none does, undefined if the search took too long. */
  async liveJobOf({
    _id,
    experiment,
  }: Pick<UploadDocument, '_id' | 'experiment'>): Promise<string | null | undefined> {
    try {
      const found = await this.#jobs.findOne(
        { experiment, state: { $in: [...liveStates] }, 'payload.uploadId': _id },
        { projection: { _id: 1 }, hint: jobIndex.upload, maxTimeMS: longestMs },
      );
      return found?._id ?? null;
    } catch (error) {
      if (isOverTime(error)) return undefined;
      throw error;
    }
  }
}
