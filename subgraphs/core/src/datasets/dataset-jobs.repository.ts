/**
 * Jobs that name datasets for their outputs, by a look-up key that they lose once their outputs are added.
 */
import type { Collection, Filter } from 'mongodb';
import { jobIndex } from '../jobs/model/job.document.js';
import { liveStates, terminalStates } from '../jobs/model/job-state.js';
import type { JobDocument, OutputRefusal } from '../jobs/model/job.types.js';
import { datasetKey } from '../jobs/model/new-job.js';
import { type EndedWriter, endedWriterFields } from './output-entries.js';

/** All look-up keys of datasets. */
const anyKey = { $gte: 'd:', $lt: 'd;' };

/** Outputs of a job that a dataset did not take. */
export interface RefusedOutputs {
  readonly jobId: string;
  readonly datasetId: string;
  readonly refusal: OutputRefusal;
}

/** Jobs that add to datasets. */
export class DatasetJobs {
  readonly #jobs: Collection<JobDocument>;

  constructor(jobs: Collection<JobDocument>) {
    this.#jobs = jobs;
  }

  /** Ended jobs by id, with what they add. */
  ended(ids: readonly string[]): Promise<readonly EndedWriter[]> {
    const filter = { _id: { $in: [...ids] }, state: { $in: [...terminalStates] } };
    return this.#jobs.find(filter, { projection: endedWriterFields, readConcern: 'majority' }).toArray();
  }

  /** Ids of ended jobs whose outputs may not be added yet: to one dataset, or to any. */
  unregistered(datasetId: string | undefined, limit: number): Promise<readonly string[]> {
    const lookup = datasetId === undefined ? anyKey : datasetKey(datasetId);
    return this.#ids({ lookup, state: { $in: [...terminalStates] } }, limit);
  }

  /** Id of a live job that may add to the dataset; undefined if there is none. */
  async live(datasetId: string): Promise<string | undefined> {
    return (await this.#ids({ lookup: datasetKey(datasetId), state: { $in: [...liveStates] } }, 1))[0];
  }

  /** Records that outputs of jobs were not added. */
  async refused(outputs: readonly RefusedOutputs[]): Promise<void> {
    if (outputs.length === 0) return;
    const writes = outputs.map(({ jobId, datasetId, refusal }) => ({
      updateOne: {
        filter: { _id: jobId, state: { $in: [...terminalStates] } },
        update: { $set: { 'payload.outputDatasets.$[one].refusal': refusal } },
        arrayFilters: [{ 'one.datasetId': datasetId }],
      },
    }));
    await this.#jobs.bulkWrite(writes, { ordered: false, writeConcern: { w: 'majority' } });
  }

  /** Removes the look-up keys of ended jobs whose outputs are added. */
  async registered(ids: readonly string[]): Promise<void> {
    await this.#jobs.updateMany(
      { _id: { $in: [...ids] }, state: { $in: [...terminalStates] } },
      { $pull: { lookup: anyKey } },
      { writeConcern: { w: 'majority' } },
    );
  }

  async #ids(filter: Filter<JobDocument>, limit: number): Promise<string[]> {
    const options = {
      projection: { _id: 1 },
      limit,
      hint: jobIndex.lookup,
      readConcern: 'majority',
    } as const;
    return (await this.#jobs.find(filter, options).toArray()).map(({ _id }) => _id);
  }
}
