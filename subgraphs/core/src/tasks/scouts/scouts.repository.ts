import type { Collection, Filter } from 'mongodb';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { type TaskDocument, type TaskFacts, taskFactsProjection } from '../task.document.js';
import type { StoredScoutResult } from './scouts.types.js';

const projection = {
  ...taskFactsProjection,
  'template.requirements': 1,
  'template.classId': 1,
  'variants.requirements': 1,
  'variants.classId': 1,
} as const;

/** Requirements of the jobs of one shape. */
export interface ShapeClass {
  readonly requirements: StoredRequirements;
  readonly classId: string;
}

/** A task with the requirements of its shapes. */
export type ScoutedTask = TaskFacts & {
  readonly template: ShapeClass;
  readonly variants?: readonly ShapeClass[];
};

/** Filter of tasks whose scouts have not ended. A paused task goes on scouting with jobs that were sent. */
const isScouting: Filter<TaskDocument> = {
  state: { $in: ['SCOUTING', 'PAUSED'] },
  createUpTo: { $exists: true },
};
/** Filter of tasks whose scouts all exist. */
const hasAllScouts: Filter<TaskDocument> = { $expr: { $gte: ['$createdJobs', '$createUpTo'] } };

/** Reads and writes the scouting of tasks. */
export class ScoutsRepository {
  readonly #tasks: Collection<TaskDocument>;

  constructor(tasks: Collection<TaskDocument>) {
    this.#tasks = tasks;
  }

  /** A task with the requirements of its shapes, or null. */
  find(id: string): Promise<ScoutedTask | null> {
    return this.#tasks.findOne<ScoutedTask>({ _id: id }, { projection, readConcern: { level: 'majority' } });
  }

  /** Tasks after an id whose scouts all exist and have not ended, in order. */
  scouting(behind: string, limit: number): Promise<TaskFacts[]> {
    return this.#tasks
      .find<TaskFacts>(
        { ...isScouting, ...hasAllScouts, _id: { $gt: behind } },
        { projection: taskFactsProjection, sort: { _id: 1 }, limit },
      )
      .toArray();
  }

  /**
   * Ends the scouting of a task: its other jobs are created with these requirements.
   * @returns the task; null if its scouting has ended, or its template was changed, since it was read
   */
  async end(
    { _id: id, generation }: Pick<TaskDocument, '_id' | 'generation'>,
    result: StoredScoutResult,
    classes: { readonly template: ShapeClass; readonly variants: readonly ShapeClass[] },
  ): Promise<TaskFacts | null> {
    const { template, variants } = classes;
    const shapes = [['template', template] as const, ...variants.map(variantEntry)];
    const changes = {
      'scouts.result': result,
      updatedAt: result.at,
      ...Object.fromEntries(
        shapes.flatMap(([path, { requirements, classId }]) => [
          [`${path}.requirements`, requirements],
          [`${path}.classId`, classId],
        ]),
      ),
    };
    for (const [from, state] of [['SCOUTING', 'EXPANDING'] as const, ['PAUSED', 'PAUSED'] as const]) {
      const ended = await this.#tasks.findOneAndUpdate(
        { ...isScouting, _id: id, state: from, generation: generation ?? { $exists: false } },
        {
          $set: { ...changes, state },
          $unset: { createUpTo: '' },
          $inc: { revision: 1, generation: 1 },
        },
        { returnDocument: 'after', projection: taskFactsProjection, writeConcern: { w: 'majority' } },
      );
      if (ended) return ended;
    }
    return null;
  }
}

function variantEntry(variant: ShapeClass, index: number) {
  return [`variants.${index}`, variant] as const;
}
