import type { Collection, Document } from 'mongodb';
import type { StateCounts } from '../ports.js';
import { jobIndex } from './job.document.js';
import { jobStates, liveStates, type JobState } from './job-state.js';
import type { JobDocument, LiveUsage } from './job.types.js';
import { repeatedKey } from './new-job.js';

type TaskStateCount = {
  readonly _id: { readonly task: string; readonly state: JobState };
  readonly n: number;
};

/** Counts jobs with indexes. */
export class JobCountsRepository {
  readonly #jobs: Collection<JobDocument>;

  constructor(jobs: Collection<JobDocument>) {
    this.#jobs = jobs;
  }

  /** Number of jobs by task and state, read from an index; retried jobs do not count. */
  async stateCounts(taskIds: readonly string[]): Promise<ReadonlyMap<string, StateCounts>> {
    const [all, repeated] = await Promise.all([
      this.#countStates({ taskId: { $in: [...taskIds] } }, jobIndex.task),
      this.repeatedCounts(taskIds),
    ]);
    return new Map(taskIds.map((id) => [id, subtract(all.get(id) ?? {}, repeated.get(id) ?? {})]));
  }

  /** Live jobs of an experiment by owner, and the bytes of their payloads; ends after `maxTimeMS`. */
  async liveUsage(experiment: string, maxTimeMS: number): Promise<ReadonlyMap<string, LiveUsage>> {
    const pipeline = [
      { $match: { experiment, state: { $in: liveStates } } },
      { $group: { _id: '$owner', jobs: { $sum: 1 }, bytes: { $sum: { $bsonSize: '$payload' } } } },
    ];
    const found = this.#jobs.aggregate<LiveUsage & { readonly _id: string }>(pipeline, {
      hint: jobIndex.experimentState,
      maxTimeMS,
    });
    const usage = new Map<string, LiveUsage>();
    for await (const { _id, jobs, bytes } of found) usage.set(_id, { jobs, bytes: Number(bytes) });
    return usage;
  }

  /** Number of retried jobs by task and state. */
  async repeatedCounts(taskIds: readonly string[]): Promise<ReadonlyMap<string, StateCounts>> {
    return taskIds.length === 0
      ? new Map()
      : this.#countStates({ lookup: { $in: taskIds.map(repeatedKey) } }, jobIndex.lookup);
  }

  async #countStates(filter: Document, hint: string): Promise<ReadonlyMap<string, StateCounts>> {
    const group = { $group: { _id: { task: '$taskId', state: '$state' }, n: { $sum: 1 } } };
    const counts = new Map<string, Partial<Record<JobState, number>>>();
    for await (const { _id, n } of this.#jobs.aggregate<TaskStateCount>([{ $match: filter }, group], {
      hint,
    })) {
      const of = counts.get(_id.task) ?? {};
      of[_id.state] = n;
      counts.set(_id.task, of);
    }
    return counts;
  }
}

/** Differences of two numbers by state; states without jobs are left out. */
export function subtract(all: StateCounts, less: StateCounts): StateCounts {
  const rest = jobStates.map((state) => [state, (all[state] ?? 0) - (less[state] ?? 0)] as const);
  return Object.fromEntries(rest.filter(([, count]) => count > 0));
}
