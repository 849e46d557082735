import type { Clock } from '@rhizome/clock';
import { type JobState, liveStates, waitingStates } from '../../jobs/model/job-state.js';
import {
  type OpenTaskState,
  openTaskStates,
  type StoredTaskCommand,
  type TaskAction,
  type TaskFacts,
} from '../task.document.js';
import type { JobCountsRepository } from '../../jobs/model/job-counts.repository.js';
import type { EndedJobs } from '../limits/failure-limit.types.js';
import { endedJobsOf, exceeded } from '../limits/failure-limit.js';
import type { FailureRate } from '../../jobs/model/decision.types.js';
import type { TaskControlRepository } from './task-control.repository.js';

/** Author of a command, and why it was given. */
export interface CommandSource {
  /** Subject of a principal, or `system:…` for a part of core. */
  readonly by: string;
  readonly reason?: string | undefined;
}

/** The task after the command; or the task as it is, if its state does not permit the command. */
export interface CommandOutcome {
  readonly task: TaskFacts;
  /** False if the state of the task does not permit the command. */
  readonly isDone: boolean;
  /** False also if the task was already as commanded. */
  readonly hasChanged: boolean;
}

/** Dependencies of {@link TaskControl}. */
export interface TaskControlOptions {
  readonly tasks: Pick<TaskControlRepository, 'find' | 'apply'>;
  readonly jobCounts: Pick<JobCountsRepository, 'stateCountsUpTo'>;
  /** Called with each changed task, so that this process knows it at once. */
  readonly onChanged: (taskId: string) => Promise<void>;
  readonly clock: Clock;
}

/** States in which a command changes the task. */
const sources: Readonly<Record<TaskAction, readonly OpenTaskState[]>> = {
  PAUSE: ['SCOUTING', 'EXPANDING', 'RUNNING'],
  RESUME: ['PAUSED'],
  FINISH: ['SCOUTING', 'EXPANDING', 'RUNNING', 'PAUSED'],
  ABORT: openTaskStates,
};

/** Pauses, resumes and stops tasks, for principals and for parts of core. It checks no rights. */
export class TaskControl {
  readonly #options: TaskControlOptions;

  constructor(options: TaskControlOptions) {
    this.#options = options;
  }

  /** Gives a command. A repeated command changes nothing. @returns null if there is no such task */
  async command(
    action: TaskAction,
    taskId: string,
    { by, reason }: CommandSource,
  ): Promise<CommandOutcome | null> {
    const { tasks, clock, onChanged } = this.#options;
    const command: StoredTaskCommand = {
      action,
      by,
      at: clock.now(),
      ...(reason === undefined || reason === '' ? {} : { reason }),
    };
    for (;;) {
      const task = await tasks.find(taskId);
      if (!task) return null;
      if (isAsCommanded(action, task)) return { task, isDone: true, hasChanged: false };
      if (!mayCommand(action, task)) return { task, isDone: false, hasChanged: false };
      const ended = action === 'RESUME' ? { ended: await this.#endedOf(taskId) } : {};
      const changed = await tasks.apply(taskId, sources[action], { ...command, ...ended });
      // Its state has changed since it was read.
      if (!changed) continue;
      await onChanged(taskId);
      return { task: changed, isDone: true, hasChanged: true };
    }
  }

  /**
   * The failure rate of a task since it was resumed last, if it exceeds the limits of a rule; undefined if it
   * does not, so that a task which is resumed is not paused again by the failures of before.
   */
  async rateSinceResume(
    taskId: string,
    { failed, ended, ...limits }: FailureRate,
  ): Promise<string | undefined> {
    const task = await this.#options.tasks.find(taskId);
    const from = task?.commands?.findLast(({ action }) => action === 'RESUME')?.ended;
    return exceeded({ ...limits, ...(from ? { from } : {}) }, { failed, ended });
  }

  async #endedOf(taskId: string): Promise<EndedJobs> {
    const { counts } = await this.#options.jobCounts.stateCountsUpTo([taskId]);
    return endedJobsOf(counts.get(taskId) ?? {});
  }
}

/** States in which a command to their task affects jobs. */
export function affectedStates(action: TaskAction): readonly JobState[] {
  return action === 'ABORT' ? liveStates : waitingStates;
}

/** Returns true if the task's state permits the command. */
export function mayCommand(action: TaskAction, { state }: Pick<TaskFacts, 'state'>): boolean {
  return (sources[action] as readonly string[]).includes(state);
}

/** Returns true if an earlier command had the same effect. */
export function isAsCommanded(
  action: TaskAction,
  { state, control }: Pick<TaskFacts, 'state' | 'control'>,
): boolean {
  if (action === 'PAUSE') return state === 'PAUSED';
  if (action === 'RESUME') return (sources.PAUSE as readonly string[]).includes(state);
  return state === 'STOPPING' && (action === 'FINISH' || control?.action === 'ABORT');
}
