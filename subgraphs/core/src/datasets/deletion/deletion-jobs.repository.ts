/** Search for live jobs that need files which are to be deleted. */
import { partsOfTexts } from '@rhizome/mongo';
import type { Collection } from 'mongodb';
import { jobIndex } from '../../jobs/model/job.document.js';
import { liveStates } from '../../jobs/model/job-state.js';
import type { JobDocument } from '../../jobs/model/job.types.js';

/** Longest time of a search, in milliseconds: it looks at all live jobs of the experiments. */
const longestMs = 30_000;
/** Most bytes of the texts that are sought together. */
const bytesPerSearch = 3_000_000;

/** Jobs that need files. */
export class DeletionJobs {
  readonly #jobs: Collection<JobDocument>;

  constructor(jobs: Collection<JobDocument>) {
    this.#jobs = jobs;
  }

  /**
   * Ids of live jobs of experiments, one for each location that a job reads and for each parent that a job
   * has, or that is live itself. @throws MongoError if it took too long
   */
  async users(
    experiments: readonly string[],
    locations: readonly string[],
    parents: readonly string[],
  ): Promise<ReadonlyMap<string, string>> {
    const users = new Map<string, string>();
    // A command has at most 16 MiB, and this one names each text three times.
    for (const part of partsOfTexts([...locations, ...parents], bytesPerSearch))
      for await (const { _id, job } of this.#users(experiments, part)) users.set(_id, job);
    return users;
  }

  #users(
    experiments: readonly string[],
    sought: readonly string[],
  ): AsyncIterable<{ readonly _id: string; readonly job: string }> {
    const { inputs, otherLocations } = { inputs: '$payload.inputs', otherLocations: 'otherLocations' };
    const others = {
      $reduce: {
        input: `${inputs}.${otherLocations}`,
        initialValue: [],
        in: { $concatArrays: ['$$value', '$$this'] },
      },
    };
    return this.#jobs.aggregate<{ readonly _id: string; readonly job: string }>(
      [
        {
          $match: {
            experiment: { $in: [...experiments] },
            state: { $in: [...liveStates] },
            $or: [
              { 'payload.inputs.location': { $in: [...sought] } },
              { 'payload.inputs.otherLocations': { $in: [...sought] } },
              { dependsOn: { $in: [...sought] } },
              // Its outputs and checkpoints are still being written, or read by its next attempt.
              { _id: { $in: [...sought] } },
            ],
          },
        },
        {
          $project: {
            needs: {
              $setIntersection: [
                [...sought],
                { $concatArrays: [`${inputs}.location`, others, '$dependsOn', ['$_id']] },
              ],
            },
          },
        },
        { $unwind: '$needs' },
        { $group: { _id: '$needs', job: { $first: '$_id' } } },
      ],
      { hint: jobIndex.experimentState, maxTimeMS: longestMs, readConcern: { level: 'majority' } },
    );
  }

  /** Workflows of jobs, by id of the job; jobs that are in none are absent. */
  async workflowsOf(jobIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = this.#jobs.find(
      { _id: { $in: [...jobIds] }, workflow: { $exists: true } },
      { projection: { 'workflow.id': 1 } },
    );
    const workflows = new Map<string, string>();
    for await (const { _id, workflow } of found) if (workflow) workflows.set(_id, workflow.id);
    return workflows;
  }
}
