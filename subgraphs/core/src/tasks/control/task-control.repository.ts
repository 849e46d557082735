/** Commands to tasks, and the tasks whose jobs no worker gets. */
import type { Collection, Document } from 'mongodb';
import { batchJobIds } from '../../jobs/model/job-ids.js';
import {
  keptTaskCommands,
  openTaskStates,
  type OpenTaskState,
  type StoredTaskCommand,
  suspendedTaskStates,
  type TaskDocument,
  type TaskFacts,
  taskFactsProjection,
} from '../task.document.js';
import type { EndedJobs, StoredFailureLimit } from '../limits/failure-limit.types.js';
import type { LimitedTask } from '../limits/limited-task.types.js';
import type { SuspendedTask } from './suspended-task.types.js';

const majority = { writeConcern: { w: 'majority' } } as const;
/** Fields of both {@link SuspendedTask} and {@link LimitedTask}. */
const followedProjection = { name: 1, share: 1, formerShares: 1, createdAt: 1, totalJobs: 1 } as const;
const suspendedProjection = { ...followedProjection, state: 1, control: 1 } as const;
const limitedProjection = { ...followedProjection, maxRunningJobs: 1 } as const;
type StoredFollowedTask = Pick<TaskDocument, '_id' | keyof typeof followedProjection>;
type StoredLimitedTask = Pick<TaskDocument, '_id' | keyof typeof limitedProjection>;
type StoredSuspendedTask = Pick<TaskDocument, '_id' | keyof typeof suspendedProjection>;

/** A task that is being stopped. */
export type StoppingTask = Pick<TaskDocument, '_id' | 'name' | 'control'>;

/** Reads and writes what commands change of tasks. */
export class TaskControlRepository {
  readonly #tasks: Collection<TaskDocument>;

  constructor(tasks: Collection<TaskDocument>) {
    this.#tasks = tasks;
  }

  /** Visible part of a task, or null. */
  find(id: string): Promise<TaskFacts | null> {
    return this.#tasks.findOne<TaskFacts>(
      { _id: id },
      { projection: taskFactsProjection, readConcern: { level: 'majority' } },
    );
  }

  /** Gives a command to a task in one of these states. @returns the task; null if its state is another */
  async apply(
    id: string,
    from: readonly OpenTaskState[],
    command: StoredTaskCommand,
  ): Promise<TaskFacts | null> {
    const stored = { $literal: { ...command } };
    const earlier = { $ifNull: ['$commands', []] };
    return this.#tasks.findOneAndUpdate(
      { _id: id, state: { $in: [...from] } },
      [
        {
          $set: {
            state: stateAfter(command),
            control: command.action === 'RESUME' ? '$$REMOVE' : stored,
            // The other jobs of a task that is stopped no longer wait for its scouts: they are cancelled.
            ...(isStop(command) ? { createUpTo: '$$REMOVE' } : {}),
            commands: { $slice: [{ $concatArrays: [earlier, [stored]] }, -keptTaskCommands] },
            updatedAt: command.at,
            revision: { $add: ['$revision', 1] },
          },
        },
      ],
      { returnDocument: 'after', projection: taskFactsProjection, ...majority },
    );
  }

  /** Limits of failures of those of the tasks that have one and have not ended. */
  async failureLimits(ids: readonly string[]): Promise<ReadonlyMap<string, StoredFailureLimit>> {
    const filter = {
      _id: { $in: [...ids] },
      state: { $in: [...openTaskStates] },
      failureLimit: { $exists: true },
    };
    const found = await this.#tasks.find(filter, { projection: { failureLimit: 1 } }).toArray();
    return new Map(found.flatMap(({ _id, failureLimit }) => (failureLimit ? [[_id, failureLimit]] : [])));
  }

  /** Records the ended jobs from which the failures of a task count. */
  async countFailuresFrom(id: string, jobs: EndedJobs): Promise<void> {
    const filter = { _id: id, failureLimit: { $exists: true } };
    await this.#tasks.updateOne(filter, { $set: { 'failureLimit.from': jobs } }, majority);
  }

  /** Tasks that are being stopped. */
  stopping(): Promise<StoppingTask[]> {
    return this.#tasks.find({ state: 'STOPPING' }, { projection: { name: 1, control: 1 } }).toArray();
  }

  /** Tasks whose jobs no worker gets; with `ids`, those among them. */
  async suspended(ids?: readonly string[]): Promise<SuspendedTask[]> {
    const filter = { state: { $in: [...suspendedTaskStates] }, ...(ids && { _id: { $in: [...ids] } }) };
    const found = this.#tasks.find<StoredSuspendedTask>(filter, {
      projection: suspendedProjection,
      readConcern: { level: 'majority' },
    });
    return (await found.toArray()).map(suspendedTask);
  }

  /** Open tasks with a limit on running jobs; with `ids`, those among them. */
  async limited(ids?: readonly string[]): Promise<LimitedTask[]> {
    const filter = {
      state: { $in: [...openTaskStates] },
      maxRunningJobs: { $exists: true },
      ...(ids && { _id: { $in: [...ids] } }),
    };
    const found = this.#tasks.find<StoredLimitedTask>(filter, {
      projection: limitedProjection,
      readConcern: { level: 'majority' },
      hint: ids ? '_id_' : 'maxRunningJobs_idx',
    });
    return (await found.toArray()).map(limitedTask);
  }
}

/** State after a command, as an expression. */
function stateAfter(command: StoredTaskCommand): string | Document {
  if (command.action === 'PAUSE') return 'PAUSED';
  if (isStop(command)) return 'STOPPING';
  const isScouting = { $gt: ['$createUpTo', 0] };
  const expanded = { $cond: [{ $lt: ['$createdJobs', '$totalJobs'] }, 'EXPANDING', 'RUNNING'] };
  return { $cond: [isScouting, 'SCOUTING', expanded] };
}

function isStop({ action }: StoredTaskCommand): boolean {
  return action === 'FINISH' || action === 'ABORT';
}

function limitedTask(stored: StoredLimitedTask): LimitedTask {
  const { maxRunningJobs: limit = stored.totalJobs } = stored;
  return { ...followedTask(stored), limit };
}

function suspendedTask(stored: StoredSuspendedTask): SuspendedTask {
  const { state, control } = stored;
  return { ...followedTask(stored), isStopping: state === 'STOPPING', ...(control && { control }) };
}

function followedTask({ _id: id, name, share, formerShares = [], createdAt, totalJobs }: StoredFollowedTask) {
  const lastJobId = batchJobIds(id, createdAt)(totalJobs - 1);
  return { id, name, shares: [...new Set([share, ...formerShares])], lastJobId };
}
