import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import { planJobFilter } from '../../jobs/model/job-filter.js';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import type { EventHandler } from '../../jobs/transitions/event-work.js';
import type { TransitionWriter } from '../../jobs/transitions/transition.types.js';
import { LeaderTask, type LeaderWork, repeat } from '../../shared/leader-task.js';
import type { StoredTaskCommand } from '../task.document.js';
import { affectedStates } from './task-control.js';
import type { StoppingTask, TaskControlRepository } from './task-control.repository.js';

/** Dependencies of {@link TaskStops}. */
export interface TaskStopsOptions {
  readonly tasks: Pick<TaskControlRepository, 'stopping'>;
  readonly jobs: Pick<JobsRepository, 'ids' | 'find'>;
  readonly writer: TransitionWriter;
  /** Ends the task if its last job has ended. */
  readonly check: (taskId: string) => Promise<void>;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
  /** Interval at which stopping tasks are looked for, in milliseconds; defaults to 1,000. */
  readonly everyMs?: number;
  /** Jobs per page; defaults to 1,000. */
  readonly pageSize?: number;
}

/**
 * Interval at which the jobs of all stopping tasks are searched again, in milliseconds. Events announce jobs
 * that begin to wait; this finds those whose event came before the task was stopping.
 */
const againMs = 60_000;

/** Cancels the jobs of tasks that are being stopped, on the leader. */
export class TaskStops implements EventHandler {
  readonly name = 'task stops';
  readonly #options: TaskStopsOptions;
  readonly #task: LeaderTask;
  /** Commands that were carried out, by task; an event of a job that must be cancelled removes its task. */
  readonly #settled = new Map<string, StoredTaskCommand['action']>();
  #searchedAt = Number.NEGATIVE_INFINITY;

  constructor(options: TaskStopsOptions) {
    this.#options = options;
    this.#task = new LeaderTask(options.leader, (signal) => this.#lead(signal), options.log);
  }

  /** Runs while this process leads. */
  start(): void {
    this.#task.start();
  }

  /** Stops after the page in progress; the next leader continues. */
  stop(): Promise<void> {
    return this.#task.stop();
  }

  async handle(events: readonly JobEvent[]): Promise<void> {
    for (const { last } of events) {
      const command = last.taskId === undefined ? undefined : this.#settled.get(last.taskId);
      if (command !== undefined && affectedStates(command).includes(last.to))
        this.#settled.delete(last.taskId ?? '');
    }
  }

  /** Searches all stopping tasks again. */
  async recover(): Promise<void> {
    this.#settled.clear();
  }

  #lead(signal: AbortSignal): Promise<void> {
    const { log, everyMs = 1000 } = this.#options;
    this.#settled.clear();
    return repeat(
      () => this.#sweep(signal),
      everyMs,
      signal,
      (err) => log.warn({ err }, 'stopping of tasks failed'),
    );
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { tasks, clock } = this.#options;
    const now = clock.monotonicMs();
    if (now - this.#searchedAt >= againMs) {
      this.#searchedAt = now;
      this.#settled.clear();
    }
    const stopping = await tasks.stopping();
    const open = new Set(stopping.map(({ _id }) => _id));
    for (const id of this.#settled.keys()) if (!open.has(id)) this.#settled.delete(id);
    for (const task of stopping) {
      if (signal.aborted) return;
      await this.#stop(task, signal);
    }
  }

  async #stop({ _id, name, control }: StoppingTask, signal: AbortSignal): Promise<void> {
    if (!control || this.#settled.get(_id) === control.action) return;
    // Before the search, so that an event during it counts.
    this.#settled.set(_id, control.action);
    try {
      await this.#cancelJobs(_id, control, reasonOf(name, control), signal);
      await this.#options.check(_id);
    } catch (error) {
      this.#settled.delete(_id);
      throw error;
    }
  }

  async #cancelJobs(
    taskId: string,
    { action, by }: StoredTaskCommand,
    reason: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { jobs, writer, pageSize = 1000 } = this.#options;
    const states = affectedStates(action);
    const plan = planJobFilter({ taskIds: [taskId], states }, '*', []);
    let after: string | undefined;
    for (;;) {
      const ids = await jobs.ids(plan, pageSize, after);
      after = ids.at(-1);
      if (after === undefined || signal.aborted) return;
      const found = await jobs.find(ids, { state: 1 });
      const cancelled = await writer.apply(
        found.flatMap(({ _id: jobId, state: from }) =>
          states.includes(from)
            ? [{ jobId, from, to: 'CANCELLED', by: 'principal', actor: by, reason } as const]
            : [],
        ),
      );
      // The next sweep takes the jobs whose state has changed since it was read.
      if (cancelled.some(({ applied }) => !applied)) this.#settled.delete(taskId);
    }
  }
}

function reasonOf(name: string, { action, reason }: StoredTaskCommand): string {
  const verb = action === 'ABORT' ? 'aborted' : 'finished';
  return `Task "${name}" was ${verb}${reason === undefined ? '' : `: ${reason}`}`;
}
