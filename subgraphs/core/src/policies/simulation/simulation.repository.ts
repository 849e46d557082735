/** Reads jobs for simulations, in pages of bounded cost. */
import type { Collection, Document } from 'mongodb';
import { jobIndex } from '../../jobs/model/job.document.js';
import { lowestIdAt } from '../../jobs/model/job-ids.js';
import { jobStates } from '../../jobs/model/job-state.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { ReplayedJob } from './replay.js';

/** Jobs to simulate. */
export interface SimulatedJobs {
  readonly key: { readonly experiment: string } | { readonly taskId: string } | { readonly queueId: string };
  /** Jobs of other experiments are left out; all are read without it. */
  readonly experiments?: readonly string[] | undefined;
  /** Earliest submission. */
  readonly from: Date;
  /** Earliest end of a failed attempt. */
  readonly since: Date;
  /** Continue with jobs that are older than this one. */
  readonly before?: string | undefined;
}

/** A page of jobs. Every job of the range is scanned; those with failed attempts are returned. */
export interface ScannedJobs {
  readonly scanned: number;
  readonly jobs: readonly ReplayedJob[];
  /** Oldest scanned job; undefined if the range has no more. */
  readonly last: { readonly id: string; readonly createdAt: Date } | undefined;
}

const fields = [
  'state',
  'experiment',
  'owner',
  'taskId',
  'labels',
  'requirements',
  'retry',
  'attempts',
] as const;

/** Time after which the store gives up a page, in milliseconds. */
const pageTimeoutMs = 20_000;

/** Reads jobs with failed attempts. */
export class SimulationRepository {
  readonly #jobs: Collection<JobDocument>;

  constructor(jobs: Collection<JobDocument>) {
    this.#jobs = jobs;
  }

  /** The next page, the newest jobs first. */
  async page(wanted: SimulatedJobs, limit: number): Promise<ScannedJobs> {
    const { key, experiments, from, since, before } = wanted;
    const range = { $gte: lowestIdAt(from), ...(before === undefined ? {} : { $lt: before }) };
    const failed = { $eq: ['$$this.outcome', 'FAILED'] };
    const isCounted = { $and: [failed, { $gte: ['$$this.endedAt', since] }] };
    const hasFailed = { $anyElementTrue: [{ $map: { input: '$attempts', as: 'this', in: isCounted } }] };
    const isWanted = experiments
      ? { $and: [hasFailed, { $in: ['$experiment', [...experiments]] }] }
      : hasFailed;
    const position = { _id: '$_id', createdAt: '$createdAt' };
    const own = Object.fromEntries(fields.map((field) => [field, `$${field}`]));
    const pipeline: Document[] = [
      { $match: { ...key, ...('experiment' in key ? {} : { state: { $in: [...jobStates] } }), _id: range } },
      { $sort: { _id: -1 } },
      { $limit: limit },
      { $replaceWith: { $cond: [isWanted, { ...position, ...own }, position] } },
    ];
    const found = await this.#jobs
      .aggregate<ReplayedJob & Pick<JobDocument, 'createdAt'>>(pipeline, {
        hint: indexOf(wanted),
        maxTimeMS: pageTimeoutMs,
      })
      .toArray();
    const oldest = found.length < limit ? undefined : found.at(-1);
    return {
      scanned: found.length,
      jobs: found.filter(({ attempts }: Partial<ReplayedJob>) => attempts !== undefined),
      last: oldest && { id: oldest._id, createdAt: oldest.createdAt },
    };
  }
}

/** Index in the order of the ids, without sorting; of tasks and queues through a merge of the states. */
function indexOf({ key }: SimulatedJobs): string {
  if ('taskId' in key) return jobIndex.task;
  return 'queueId' in key ? jobIndex.queue : jobIndex.experiment;
}
