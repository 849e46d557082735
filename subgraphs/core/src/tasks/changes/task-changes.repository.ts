/** Changes of tasks in the store: their acceptance, and the position up to which jobs were changed. */
import type { Collection } from 'mongodb';
import type { JobDocument } from '../../jobs/model/job.types.js';
import {
  type OpenTaskState,
  type TaskDocument,
  type TaskFacts,
  taskFactsProjection,
} from '../task.document.js';
import type { ShapeClass } from '../scouts/scouts.repository.js';
import {
  keptTaskChanges,
  type OpenTaskChange,
  type StoredTaskChange,
  type StoredTaskValues,
} from './task-change.types.js';

const majority = { writeConcern: { w: 'majority' } } as const;
const projection = {
  ...taskFactsProjection,
  'template.requirements': 1,
  'template.classId': 1,
  'template.retry': 1,
  'variants.requirements': 1,
  'variants.classId': 1,
} as const;

/** A task with what a change may set. */
export type ChangeableTask = TaskFacts & {
  readonly template: ShapeClass & Pick<JobDocument, 'retry'>;
  readonly variants?: readonly ShapeClass[];
};

/** New values of a task. */
export interface TaskUpdate {
  /** The change is not accepted if more jobs than these have been created: `open.upTo` counts on it. */
  readonly maxCreatedJobs: number;
  readonly change: StoredTaskChange;
  readonly values: StoredTaskValues;
  /** Absent if nothing changes of jobs. */
  readonly open?: OpenTaskChange;
  readonly template: ShapeClass;
  readonly variants: readonly ShapeClass[];
}

/** A task to whose jobs a change is being applied. */
export type ChangingTask = Pick<TaskDocument, '_id' | 'createdAt' | 'createdJobs'> & {
  readonly openChange: OpenTaskChange;
};

/** States of a task that can be changed. */
export const changeableStates = [
  'SCOUTING',
  'EXPANDING',
  'RUNNING',
  'PAUSED',
] as const satisfies OpenTaskState[];

/** Reads and writes changes of tasks. */
export class TaskChangesRepository {
  readonly #tasks: Collection<TaskDocument>;

  constructor(tasks: Collection<TaskDocument>) {
    this.#tasks = tasks;
  }

  /** A task with what a change may set, or null. */
  find(id: string): Promise<ChangeableTask | null> {
    return this.#tasks.findOne<ChangeableTask>(
      { _id: id },
      { projection, readConcern: { level: 'majority' } },
    );
  }

  /**
   * Accepts a change: jobs that are created from now on have the new values.
   * @returns the task; null if it has changed since it was read, or another change is being applied
   */
  begin(
    task: ChangeableTask,
    { maxCreatedJobs, change, values, open, template, variants }: TaskUpdate,
  ): Promise<TaskFacts | null> {
    const { priority, share, maxAttempts, maxRunningJobs, ...amounts } = values;
    const rules = Object.keys(amounts).map((field) => [`scouts.rules.${field}`, ''] as const);
    const unset = [
      // Values that a principal has given are not replaced by those that follow from the scouts.
      ...(task.createUpTo === undefined ? [] : rules),
      ...(maxRunningJobs === null ? [['maxRunningJobs', ''] as const] : []),
    ];
    const shapes = [['template', template] as const, ...variants.map(variantEntry)];
    const generation = task.generation ?? { $exists: false };
    return this.#tasks.findOneAndUpdate(
      {
        ...{ _id: task._id, generation, openChange: { $exists: false } },
        state: { $in: [...changeableStates] },
        // The step of the expansion that is in progress creates jobs after these, up to `open.upTo`.
        createdJobs: { $lte: maxCreatedJobs },
      },
      {
        $set: {
          ...Object.fromEntries(
            shapes.flatMap(([path, { requirements, classId }]) => [
              [`${path}.requirements`, requirements],
              [`${path}.classId`, classId],
            ]),
          ),
          ...(priority === undefined ? {} : { priority }),
          ...(share === undefined ? {} : { share }),
          ...(maxAttempts === undefined ? {} : { 'template.retry.maxAttempts': maxAttempts }),
          ...(maxRunningJobs == null ? {} : { maxRunningJobs }),
          ...(open ? { openChange: open } : {}),
          updatedAt: change.at,
        },
        $push: { changes: { $each: [change], $slice: -keptTaskChanges } },
        ...(share === undefined || share === task.share ? {} : { $addToSet: { formerShares: task.share } }),
        ...(unset.length === 0 ? {} : { $unset: Object.fromEntries(unset) }),
        $inc: { revision: 1, generation: 1 },
      },
      { returnDocument: 'after', projection: taskFactsProjection, ...majority },
    );
  }

  /** Ids of tasks to whose jobs a change is being applied. */
  async open(): Promise<readonly string[]> {
    const found = await this.#tasks
      .find({ openChange: { $exists: true } }, { projection: { _id: 1 }, hint: 'openChange_idx' })
      .toArray();
    return found.map(({ _id }) => _id);
  }

  /** A task to whose jobs a change is being applied, or null. */
  changing(id: string): Promise<ChangingTask | null> {
    return this.#tasks.findOne<ChangingTask>(
      { _id: id, openChange: { $exists: true } },
      {
        projection: { createdAt: 1, createdJobs: 1, openChange: 1 },
        readConcern: { level: 'majority' },
      },
    );
  }

  /**
   * Records that all jobs up to a position are done. Only the process that has moved the change to its
   * present position moves it on, so that each job counts once.
   * @returns false if another process has done so
   */
  async advance(
    { _id, openChange: { id, position: before } }: ChangingTask,
    position: string,
    { changedJobs, keptJobs }: Pick<OpenTaskChange, 'changedJobs' | 'keptJobs'>,
  ): Promise<boolean> {
    const { matchedCount } = await this.#tasks.updateOne(
      {
        _id,
        'openChange.id': id,
        'openChange.position': before ?? { $exists: false },
      },
      {
        $set: { 'openChange.position': position },
        $inc: { 'openChange.changedJobs': changedJobs, 'openChange.keptJobs': keptJobs },
      },
      majority,
    );
    return matchedCount === 1;
  }

  /** Ends a change whose jobs are all done. */
  async end({ _id, openChange }: ChangingTask, now: Date): Promise<void> {
    const { id, changedJobs, keptJobs } = openChange;
    await this.#tasks.updateOne(
      { _id, 'openChange.id': id },
      {
        $set: {
          'changes.$[one].endedAt': now,
          'changes.$[one].changedJobs': changedJobs,
          'changes.$[one].keptJobs': keptJobs,
          updatedAt: now,
        },
        $unset: { openChange: '' },
        $inc: { revision: 1 },
      },
      { arrayFilters: [{ 'one.id': id }], ...majority },
    );
  }
}

function variantEntry(variant: ShapeClass, index: number) {
  return [`variants.${index}`, variant] as const;
}
