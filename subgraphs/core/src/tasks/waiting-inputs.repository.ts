/** Payloads of jobs that tasks have yet to create. */
import { collection } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import { locationsOf } from '../storages/places.js';
import {
  type ParameterChunkDocument,
  parameterChunksCollection,
  type StoredTemplate,
  type TaskDocument,
  tasksCollection,
} from './task.document.js';
import { needsSets, piecesFilter } from './tasks.repository.js';

/** Longest time of one read, in milliseconds. */
const longestMs = 30_000;
const projection = {
  hasParameters: 1,
  'template.payload.inputs': 1,
  'template.dependsOn': 1,
  'variants.payload.inputs': 1,
} as const;

/** Inputs of jobs that a task has yet to create. */
export interface WaitingTask {
  readonly taskId: string;
  /** Places of the inputs; they may contain `{{name}}`. */
  readonly locations: readonly string[];
  /** Sought jobs that will be parents. */
  readonly parents: readonly string[];
}

/** Reads payloads of jobs that do not exist yet. */
export class WaitingInputs {
  readonly #tasks: Collection<TaskDocument>;
  readonly #chunks: Collection<ParameterChunkDocument>;

  constructor(db: Db) {
    this.#tasks = collection(db, tasksCollection);
    this.#chunks = collection(db, parameterChunksCollection);
  }

  /**
   * Tasks of experiments with jobs that do not exist yet, and what these will read.
   * @param parents jobs that are sought among the parents
   * @throws MongoError if it took too long
   */
  async *of(experiments: readonly string[], parents: readonly string[]): AsyncGenerator<WaitingTask> {
    const found = this.#tasks.find(
      { ...needsSets, experiment: { $in: [...experiments] } },
      { projection, hint: 'experiment_state_idx', maxTimeMS: longestMs, readConcern: 'majority' },
    );
    for await (const { _id: taskId, template, variants = [] } of found) {
      const payloads = [template, ...variants].map(({ payload }) => payload);
      yield {
        taskId,
        locations: payloads.flatMap(({ inputs }) => inputs.flatMap(locationsOf)),
        parents: await this.#parentsOf(taskId, template, parents),
      };
    }
  }

  /** Id of a task with jobs that do not exist yet and will use the upload; undefined if there is none. */
  async usingUpload(experiment: string, uploadId: string): Promise<string | undefined> {
    const uses = [{ 'template.payload.uploadId': uploadId }, { 'variants.payload.uploadId': uploadId }];
    const found = await this.#tasks.findOne({ ...needsSets, experiment, $or: uses } as never, {
      projection: { _id: 1 },
      hint: 'experiment_state_idx',
      maxTimeMS: longestMs,
    });
    return found?._id;
  }

  /** Parents of a template, and of single jobs. */
  async #parentsOf(
    taskId: string,
    { dependsOn }: Pick<StoredTemplate, 'dependsOn'>,
    sought: readonly string[],
  ): Promise<readonly string[]> {
    if (sought.length === 0) return [];
    const own = sought.filter((id) => dependsOn.includes(id));
    const found = await this.#chunks
      .aggregate<{ readonly _id: string }>(
        [
          { $match: { ...piecesFilter(taskId), 'sets.dependsOn': { $in: [...sought] } } },
          { $unwind: '$sets' },
          { $unwind: '$sets.dependsOn' },
          { $match: { 'sets.dependsOn': { $in: [...sought] } } },
          { $group: { _id: '$sets.dependsOn' } },
        ],
        { maxTimeMS: longestMs },
      )
      .toArray();
    return [...own, ...found.map(({ _id }) => _id)];
  }
}
