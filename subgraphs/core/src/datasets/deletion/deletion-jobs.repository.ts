/** Search for live jobs that need files which are to be deleted. */
import type { Collection } from 'mongodb';
import { jobIndex } from '../../jobs/model/job.document.js';
import { liveStates } from '../../jobs/model/job-state.js';
import type { JobDocument } from '../../jobs/model/job.types.js';

/** Longest time of a search, in milliseconds: it looks at all live jobs of the experiments. */
const longestMs = 30_000;

/** Jobs that need files. */
export class DeletionJobs {
  readonly #jobs: Collection<JobDocument>;

  constructor(jobs: Collection<JobDocument>) {
    this.#jobs = jobs;
  }

  /**
   * Ids of live jobs of experiments, one for each location that a job reads and for each parent that a job
   * has. @throws MongoError if it took too long
   */
  async users(
    experiments: readonly string[],
    locations: readonly string[],
    parents: readonly string[],
  ): Promise<ReadonlyMap<string, string>> {
    const { inputs, otherLocations } = { inputs: '$payload.inputs', otherLocations: 'otherLocations' };
    const others = {
      $reduce: {
        input: `${inputs}.${otherLocations}`,
        initialValue: [],
        in: { $concatArrays: ['$$value', '$$this'] },
      },
    };
    const found = this.#jobs.aggregate<{ readonly _id: string; readonly job: string }>(
      [
        {
          $match: {
            experiment: { $in: [...experiments] },
            state: { $in: [...liveStates] },
            $or: [
              { 'payload.inputs.location': { $in: [...locations] } },
              { 'payload.inputs.otherLocations': { $in: [...locations] } },
              { dependsOn: { $in: [...parents] } },
            ],
          },
        },
        {
          $project: {
            needs: {
              $setIntersection: [
                [...locations, ...parents],
                { $concatArrays: [`${inputs}.location`, others, '$dependsOn'] },
              ],
            },
          },
        },
        { $unwind: '$needs' },
        { $group: { _id: '$needs', job: { $first: '$_id' } } },
      ],
      { hint: jobIndex.experimentState, maxTimeMS: longestMs, readConcern: { level: 'majority' } },
    );
    const users = new Map<string, string>();
    for await (const { _id, job } of found) users.set(_id, job);
    return users;
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
