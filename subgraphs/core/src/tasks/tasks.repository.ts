import { isDuplicateKey, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Filter } from 'mongodb';
import type { StateCounts } from '../jobs/ports.js';
import {
  parameterChunkSchemaVersion,
  taskStates,
  type ParameterChunkDocument,
  type StoredParameterSet,
  type TaskDocument,
  type TaskFacts,
  taskFactsProjection,
  type EndedTaskState,
  openTaskStates,
  type TaskState,
} from './task.document.js';
import type { AwaitedFiles, StoredTaskDataset } from './files/task-dataset.types.js';
import { isOnlyDuplicates } from '../shared/duplicate-keys.repository.js';

/** Time after which a runner that has not reported is replaced, in milliseconds. */
const runnerMs = 10_000;
const chunkSets = 1000;
/**
 * Maximum size of the values in one document, in characters; far below MongoDB's 16 MiB, whatever the
 * characters.
 */
const chunkCharacters = 2_000_000;
/** Number of such documents per write. */
const piecesAtOnce = 8;
/** Number of tasks per step of the search for unused sets. */
const tasksAtOnce = 100;

/** Filter of tasks with jobs that may be created now. */
const isExpanding: Filter<TaskDocument> = {
  state: { $in: ['SCOUTING', 'EXPANDING', 'PAUSED', 'STOPPING'] },
  $expr: { $lt: ['$createdJobs', { $ifNull: ['$createUpTo', '$totalJobs'] }] },
};
/** Filter of tasks that still need their parameter sets. */
export const needsSets: Filter<TaskDocument> = {
  state: { $in: ['SCOUTING', 'EXPANDING', 'PAUSED', 'STOPPING'] },
  $expr: { $lt: ['$createdJobs', '$totalJobs'] },
};
/** States of open tasks whose jobs may all exist. */
const expandedStates = openTaskStates.filter((state) => state !== 'EXPANDING' && state !== 'SCOUTING');
const hasAllJobs: Filter<TaskDocument> = { $expr: { $eq: ['$createdJobs', '$totalJobs'] } };

/** Filter of tasks; all given fields must match. */
export interface TaskCriteria {
  readonly ids?: readonly string[] | undefined;
  readonly experiments?: readonly string[] | undefined;
  readonly owners?: readonly string[] | undefined;
  readonly states?: readonly TaskState[] | undefined;
}

/** Jobs of a task that exist. */
export interface CreatedJobs {
  /** True if all that the claim creates exist. */
  readonly isComplete: boolean;
  /** Position up to which all exist apart from the gaps. */
  readonly ahead: number;
  readonly gaps?: readonly AwaitedFiles[];
}

/** Tasks and their parameter sets. */
export class TasksRepository {
  readonly #tasks: Collection<TaskDocument>;
  readonly #chunks: Collection<ParameterChunkDocument>;

  constructor(tasks: Collection<TaskDocument>, chunks: Collection<ParameterChunkDocument>) {
    this.#tasks = tasks;
    this.#chunks = chunks;
  }

  /** Writes a task whose parameter sets are written; an existing one is kept. */
  async create(task: TaskDocument): Promise<TaskDocument> {
    try {
      await this.#tasks.insertOne(task, { writeConcern: { w: 'majority' } });
      return task;
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      return (await this.#tasks.findOne({ _id: task._id })) ?? task;
    }
  }

  /** Writes parameter sets in pieces. Existing pieces are rewritten, so that all have the same age. */
  async storeSets(
    taskId: string,
    sets: Iterable<StoredParameterSet> | AsyncIterable<StoredParameterSet>,
    now: Date,
  ): Promise<void> {
    let pieces: ParameterChunkDocument[] = [];
    for await (const piece of piecesOf(taskId, sets, now)) {
      pieces.push(piece);
      if (pieces.length < piecesAtOnce) continue;
      await this.#store(pieces);
      pieces = [];
    }
    if (pieces.length > 0) await this.#store(pieces);
  }

  async #store(pieces: readonly ParameterChunkDocument[]): Promise<void> {
    const writes = pieces.map(({ _id, ...rest }) => ({
      replaceOne: { filter: { _id }, replacement: rest, upsert: true },
    }));
    try {
      await this.#chunks.bulkWrite(writes, { ordered: false, writeConcern: { w: 'majority' } });
    } catch (error) {
      // A concurrent call with the same key writes the same pieces.
      if (!isOnlyDuplicates(error)) throw error;
    }
  }

  /** At most `count` parameter sets from a position on. */
  async sets(taskId: string, from: number, count: number): Promise<readonly StoredParameterSet[]> {
    const range = {
      $gte: chunkId(taskId, Math.max(0, from - chunkSets + 1)),
      $lt: chunkId(taskId, from + count),
    };
    const chunks = await this.#chunks.find({ _id: range }, { sort: { _id: 1 } }).toArray();
    return chunks.flatMap(({ first, sets }) =>
      sets.slice(Math.max(0, from - first), Math.max(0, from + count - first)),
    );
  }

  /** Deletes the parameter sets of a task whose jobs all exist. */
  async dropSets(taskId: string): Promise<void> {
    await this.#chunks.deleteMany(piecesFilter(taskId));
  }

  /**
   * Deletes parameter sets that no process reads: of tasks that were never written, or whose jobs all exist.
   * @param before younger sets are kept: their task may be about to be written
   * @returns the number of deleted pieces
   */
  async dropLeftOver(before: Date, signal: AbortSignal): Promise<number> {
    let dropped = 0;
    for (let behind = ''; !signal.aborted;) {
      const ids = await this.#withSets(behind, tasksAtOnce);
      const last = ids.at(-1);
      if (last === undefined) break;
      behind = last;
      const expanding = { _id: { $in: ids }, ...needsSets };
      const found = await this.#tasks.find(expanding, { projection: { _id: 1 } }).toArray();
      const needed = new Set(found.map(({ _id }) => _id));
      for (const id of ids.filter((one) => !needed.has(one))) {
        // The negation also matches pieces without a time.
        const filter = { ...piecesFilter(id), createdAt: { $not: { $gte: before } } };
        dropped += (await this.#chunks.deleteMany(filter)).deletedCount;
      }
    }
    return dropped;
  }

  /** Ids of tasks with parameter sets, in order, after an id; one index look-up each. */
  async #withSets(behind: string, limit: number): Promise<string[]> {
    const ids: string[] = [];
    while (ids.length < limit) {
      const filter = { _id: { $gt: `${ids.at(-1) ?? behind}/:` } };
      const found = await this.#chunks.findOne(filter, { sort: { _id: 1 }, projection: { taskId: 1 } });
      if (!found) break;
      ids.push(found.taskId);
    }
    return ids;
  }

  /** Tasks by id, in no order. */
  async find(ids: readonly string[]): Promise<readonly TaskDocument[]> {
    return ids.length === 0 ? [] : this.#tasks.find({ _id: { $in: [...ids] } }).toArray();
  }

  /** Visible parts of tasks by id, in no order. */
  async facts(ids: readonly string[]): Promise<readonly TaskFacts[]> {
    if (ids.length === 0) return [];
    return this.#tasks.find({ _id: { $in: [...ids] } }, { projection: taskFactsProjection }).toArray();
  }

  /** Page of tasks, newest first. */
  async page(
    criteria: TaskCriteria,
    first: number,
    after: string | null | undefined,
  ): Promise<KeysetPage<TaskFacts>> {
    const { ids, experiments, owners } = criteria;
    // With all states listed, the index of experiments returns the ids in order through a merge of its scans.
    const states = criteria.states ?? (experiments && !ids && !owners ? taskStates : undefined);
    const filter = {
      ...(ids ? { _id: { $in: [...ids] } } : {}),
      ...(experiments ? { experiment: { $in: [...experiments] } } : {}),
      ...(owners ? { owner: owners.length === 1 ? owners[0] : { $in: [...owners] } } : {}),
      ...(states ? { state: { $in: [...states] } } : {}),
    };
    return keysetPage({
      collection: this.#tasks,
      filter: filter as Filter<TaskDocument>,
      order: [{ field: '_id', direction: -1 }],
      first,
      after,
      projection: taskFactsProjection,
    }) as unknown as Promise<KeysetPage<TaskFacts>>;
  }

  /** Ids of tasks with missing jobs that no process creates. */
  async abandoned(now: Date, limit: number): Promise<readonly string[]> {
    const free = { $or: [{ runner: { $exists: false } }, { 'runner.until': { $lt: now } }] };
    const isDue = {
      $or: [
        { 'dataset.awaited': { $exists: false } },
        { 'dataset.awaited.nextAt': { $lte: now } },
        { state: 'STOPPING' as const },
      ],
    };
    const found = await this.#tasks
      .find({ ...isExpanding, $and: [free, isDue] }, { projection: { _id: 1 }, sort: { _id: 1 }, limit })
      .toArray();
    return found.map(({ _id }) => _id);
  }

  /** Claims the expansion of a task if no other process has it. @returns the current document, or null */
  async claim(id: string, runnerId: string, now: Date): Promise<TaskDocument | null> {
    const free = {
      $or: [{ runner: { $exists: false } }, { 'runner.until': { $lt: now } }, { 'runner.id': runnerId }],
    };
    return this.#tasks.findOneAndUpdate(
      { _id: id, ...isExpanding, ...free },
      { $set: { runner: { id: runnerId, until: new Date(now.getTime() + runnerMs) } } },
      { returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
  }

  /** Releases the expansion of a task so that another process can resume it. */
  async release(id: string, runnerId: string): Promise<void> {
    await this.#tasks.updateOne({ _id: id, 'runner.id': runnerId }, { $unset: { runner: '' } });
  }

  /**
   * Records the number of jobs before the first that does not exist, and which others exist. @returns the
   * generation of the template; null if another process has the claim
   */
  async created(
    id: string,
    runnerId: string,
    createdJobs: number,
    { isComplete, ahead, gaps = [] }: CreatedJobs,
    now: Date,
  ): Promise<number | null> {
    const until = new Date(now.getTime() + runnerMs);
    const passed = gaps.length > 0 ? { 'dataset.ahead': ahead, 'dataset.gaps': gaps } : {};
    const hasAll = { $gte: [createdJobs, '$totalJobs'] };
    const completed = {
      $cond: [{ $and: [{ $eq: ['$state', 'EXPANDING'] }, hasAll] }, 'RUNNING', '$state'],
    };
    const found = await this.#tasks.findOneAndUpdate(
      { _id: id, ...isExpanding, 'runner.id': runnerId },
      [
        {
          $set: {
            createdJobs: { $max: ['$createdJobs', createdJobs] },
            revision: { $add: ['$revision', 1] },
            updatedAt: now,
            ...passed,
            ...(isComplete ? { state: completed } : { 'runner.until': until }),
          },
        },
        {
          $unset: [
            'dataset.awaited',
            ...(gaps.length > 0 ? [] : ['dataset.ahead', 'dataset.gaps']),
            ...(isComplete ? ['runner'] : []),
          ],
        },
      ],
      {
        projection: { generation: 1 },
        returnDocument: 'after',
        writeConcern: { w: 'majority' },
      },
    );
    return found && (found.generation ?? 0);
  }

  /** Records files that the first job without them waits for. */
  async awaitFiles(
    id: string,
    runnerId: string,
    awaited: NonNullable<StoredTaskDataset['awaited']>,
    now: Date,
  ): Promise<void> {
    await this.#tasks.updateOne(
      { _id: id, 'runner.id': runnerId, dataset: { $exists: true } },
      { $set: { 'dataset.awaited': awaited, updatedAt: now }, $inc: { revision: 1 } },
      { writeConcern: { w: 'majority' } },
    );
  }

  /** Lets tasks that wait for files of the dataset check them at once. */
  async filesChanged(datasetId: string, now: Date): Promise<void> {
    const filter = { ...needsSets, 'dataset.datasetId': datasetId, 'dataset.awaited': { $exists: true } };
    await this.#tasks.updateMany(
      filter,
      { $set: { 'dataset.awaited.nextAt': now } },
      { hint: 'state_idx', writeConcern: { w: 'majority' } },
    );
  }

  /**
   * Id of a task with jobs that do not exist yet and will read files of the dataset, or add outputs to it;
   * undefined if there is none.
   */
  async needsDataset(datasetId: string, use: 'READS' | 'ADDS'): Promise<string | undefined> {
    const added = 'payload.outputDatasets.datasetId';
    const uses =
      use === 'READS'
        ? { 'dataset.datasetId': datasetId }
        : { $or: [{ [`template.${added}`]: datasetId }, { [`variants.${added}`]: datasetId }] };
    const filter = { ...needsSets, ...uses } as Filter<TaskDocument>;
    return (await this.#tasks.findOne(filter, { projection: { _id: 1 }, hint: 'state_idx' }))?._id;
  }

  /** Open tasks after an id whose jobs all exist, in order. */
  async expanded(behind: string, limit: number): Promise<readonly Pick<TaskDocument, '_id' | 'totalJobs'>[]> {
    return this.#tasks
      .find(
        { state: { $in: [...expandedStates] }, _id: { $gt: behind }, ...hasAllJobs },
        { projection: { totalJobs: 1 }, sort: { _id: 1 }, limit },
      )
      .toArray();
  }

  /** Ends an open task whose jobs had all ended when it was read. @returns false if it has changed since */
  async end(
    { _id, revision }: Pick<TaskDocument, '_id' | 'revision'>,
    state: EndedTaskState,
    endStates: StateCounts,
    now: Date,
  ): Promise<boolean> {
    const { matchedCount } = await this.#tasks.updateOne(
      { _id, revision, state: { $in: [...expandedStates] } },
      { $set: { state, endedAt: now, endStates, updatedAt: now }, $inc: { revision: 1 } },
      { writeConcern: { w: 'majority' } },
    );
    return matchedCount === 1;
  }

  /**
   * Reopens tasks because some of their jobs are retried. An open task gets a new revision, so that no
   * earlier count ends it.
   */
  async reopen(ids: readonly string[], now: Date): Promise<void> {
    const hasEnded = { $not: [{ $in: ['$state', [...openTaskStates]] }] };
    const unlessEnded = (field: string) => ({ $cond: [hasEnded, '$$REMOVE', field] });
    await this.#tasks.updateMany(
      { _id: { $in: [...ids] }, state: { $nin: ['SCOUTING', 'EXPANDING'] } },
      [
        {
          $set: {
            state: { $cond: [hasEnded, 'RUNNING', '$state'] },
            control: unlessEnded('$control'),
            endedAt: unlessEnded('$endedAt'),
            endStates: unlessEnded('$endStates'),
            updatedAt: now,
            revision: { $add: ['$revision', 1] },
          },
        },
      ],
      { writeConcern: { w: 'majority' } },
    );
  }
}

/** Filter of the parameter sets of a task. */
export function piecesFilter(taskId: string) {
  return { _id: { $gte: chunkId(taskId, 0), $lte: chunkId(taskId, 9_999_999) } };
}

async function* piecesOf(
  taskId: string,
  sets: Iterable<StoredParameterSet> | AsyncIterable<StoredParameterSet>,
  createdAt: Date,
): AsyncGenerator<ParameterChunkDocument> {
  const piece = (first: number, some: readonly StoredParameterSet[]): ParameterChunkDocument => ({
    _id: chunkId(taskId, first),
    schemaVersion: parameterChunkSchemaVersion,
    revision: 1,
    createdAt,
    taskId,
    first,
    sets: some,
  });
  let some: StoredParameterSet[] = [];
  let characters = 0;
  let first = 0;
  for await (const set of sets) {
    const size = sizeOf(set);
    if (some.length > 0 && (some.length >= chunkSets || characters + size > chunkCharacters)) {
      yield piece(first, some);
      first += some.length;
      some = [];
      characters = 0;
    }
    some.push(set);
    characters += size;
  }
  if (some.length > 0) yield piece(first, some);
}

function chunkId(taskId: string, first: number): string {
  return `${taskId}/${String(first).padStart(7, '0')}`;
}

function sizeOf({ parameters, dependsOn = [], files }: StoredParameterSet): number {
  let size = files ? 120 + (files.key?.length ?? 0) : 40;
  for (const [name, value] of Object.entries(parameters)) size += name.length + value.length + 16;
  for (const id of dependsOn) size += id.length + 12;
  return size;
}
