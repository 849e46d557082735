/** Commands to tasks, and the tasks whose jobs no worker gets. */
import type { Collection, Document } from 'mongodb';
import { batchJobIds } from '../../jobs/model/job-ids.js';
import {
  keptTaskCommands,
  type OpenTaskState,
  type StoredTaskCommand,
  suspendedTaskStates,
  type TaskDocument,
  type TaskFacts,
  taskFactsProjection,
} from '../task.document.js';
import type { SuspendedTask } from './suspended-task.types.js';

const majority = { writeConcern: { w: 'majority' } } as const;
/** Fields of {@link SuspendedTask}. */
const suspendedProjection = { name: 1, share: 1, state: 1, control: 1, createdAt: 1, totalJobs: 1 } as const;
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
            commands: { $slice: [{ $concatArrays: [earlier, [stored]] }, -keptTaskCommands] },
            updatedAt: command.at,
            revision: { $add: ['$revision', 1] },
          },
        },
      ],
      { returnDocument: 'after', projection: taskFactsProjection, ...majority },
    );
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
}

/** State after a command, as an expression. */
function stateAfter({ action }: StoredTaskCommand): string | Document {
  if (action === 'PAUSE') return 'PAUSED';
  if (action !== 'RESUME') return 'STOPPING';
  return { $cond: [{ $lt: ['$createdJobs', '$totalJobs'] }, 'EXPANDING', 'RUNNING'] };
}

function suspendedTask({
  _id: id,
  name,
  share,
  state,
  control,
  createdAt,
  totalJobs,
}: StoredSuspendedTask): SuspendedTask {
  const lastJobId = batchJobIds(id, createdAt)(totalJobs - 1);
  return { id, name, share, isStopping: state === 'STOPPING', lastJobId, ...(control && { control }) };
}
