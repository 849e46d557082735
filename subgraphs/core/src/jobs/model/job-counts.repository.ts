import { positionsAround, readSnapshot } from '@rhizome/mongo';
import type { AggregateOptions, ClientSession, Collection, Document, MongoClient } from 'mongodb';
import type { StateCounts } from '../ports.js';
import { jobIndex } from './job.document.js';
import { jobStates, liveStates, type JobState } from './job-state.js';
import type { JobDocument, LiveUsage } from './job.types.js';
import { repeatedKey } from './new-job.js';

type TaskStateCount = {
  readonly _id: { readonly task: string; readonly state: JobState };
  readonly n: number;
};

/** Numbers of jobs by task and state, and the position in the stream up to which they are complete. */
export interface PositionedCounts {
  readonly counts: ReadonlyMap<string, StateCounts>;
  /** Events up to this position are counted, later ones are not. */
  readonly upTo: string;
}

/** Counts jobs with indexes. */
export class JobCountsRepository {
  readonly #jobs: Collection<JobDocument>;
  readonly #client: MongoClient;

  constructor(jobs: Collection<JobDocument>, client: MongoClient) {
    this.#jobs = jobs;
    this.#client = client;
  }

  /** Number of jobs by task and state, read from an index; retried jobs do not count. */
  async stateCounts(taskIds: readonly string[]): Promise<ReadonlyMap<string, StateCounts>> {
    const [all, repeated] = await Promise.all([
      this.#countStates({ taskId: { $in: [...taskIds] } }, jobIndex.task),
      this.repeatedCounts(taskIds),
    ]);
    return withoutRepeated(taskIds, all, repeated);
  }

  /** The same, as of a position in the stream. */
  async stateCountsUpTo(taskIds: readonly string[]): Promise<PositionedCounts> {
    const { value, at } = await readSnapshot(this.#client, async (session) => {
      const all = await this.#countStates({ taskId: { $in: [...taskIds] } }, jobIndex.task, session);
      const lookup = { $in: taskIds.map(repeatedKey) };
      const repeated = await this.#countStates({ lookup }, jobIndex.lookup, session);
      return withoutRepeated(taskIds, all, repeated);
    });
    return { counts: value, upTo: positionsAround(at).behind };
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

  async #countStates(
    filter: Document,
    hint: string,
    session?: ClientSession,
  ): Promise<ReadonlyMap<string, StateCounts>> {
    const group = { $group: { _id: { task: '$taskId', state: '$state' }, n: { $sum: 1 } } };
    const counts = new Map<string, Partial<Record<JobState, number>>>();
    const options: AggregateOptions = { hint, ...(session ? { session } : {}) };
    for await (const { _id, n } of this.#jobs.aggregate<TaskStateCount>(
      [{ $match: filter }, group],
      options,
    )) {
      const of = counts.get(_id.task) ?? {};
      of[_id.state] = n;
      counts.set(_id.task, of);
    }
    return counts;
  }
}

function withoutRepeated(
  taskIds: readonly string[],
  all: ReadonlyMap<string, StateCounts>,
  repeated: ReadonlyMap<string, StateCounts>,
): ReadonlyMap<string, StateCounts> {
  return new Map(taskIds.map((id) => [id, subtract(all.get(id) ?? {}, repeated.get(id) ?? {})]));
}

/** Differences of two numbers by state; states without jobs are left out. */
export function subtract(all: StateCounts, less: StateCounts): StateCounts {
  const rest = jobStates.map((state) => [state, (all[state] ?? 0) - (less[state] ?? 0)] as const);
  return Object.fromEntries(rest.filter(([, count]) => count > 0));
}
