import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { planJobFilter } from '../../jobs/model/job-filter.js';
import { batchJobIds } from '../../jobs/model/job-ids.js';
import { waitingStates } from '../../jobs/model/job-state.js';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import type { ClassesRepository } from '../../jobs/model/requirement-classes.repository.js';
import type { TransitionRequest, TransitionWriter } from '../../jobs/transitions/transition.types.js';
import { LeaderTask, type LeaderWork, repeat } from '../../shared/leader-task.js';
import type { OpenTaskChange } from './task-change.types.js';
import type { ChangingTask, TaskChangesRepository } from './task-changes.repository.js';
import { type ChangeableJob, changeableProjection, jobChange } from './task-values.js';

/** Dependencies of {@link TaskChangeWork}. */
export interface TaskChangeWorkOptions {
  readonly changes: Pick<TaskChangesRepository, 'open' | 'changing' | 'advance' | 'end'>;
  readonly jobs: Pick<JobsRepository, 'ids' | 'find'>;
  readonly classes: Pick<ClassesRepository, 'ensure'>;
  readonly writer: TransitionWriter;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
  /** Interval at which changes are looked for, in milliseconds; defaults to 1,000. */
  readonly everyMs?: number;
  /** Jobs per page; defaults to 1,000. */
  readonly pageSize?: number;
}

/** Number of writes of a job that changes at the same time; few steps lie between two attempts of a job. */
const maxRounds = 12;

type Counts = Pick<OpenTaskChange, 'changedJobs' | 'keptJobs'>;

/**
 * Applies changes of tasks to the jobs that wait, page by page, on the leader. A change is recorded with its
 * position in the document of the task, so that the next leader goes on; the history of a job has the id of
 * the change, so that a repeated page changes and counts nothing twice.
 */
export class TaskChangeWork {
  readonly #options: TaskChangeWorkOptions;
  readonly #task: LeaderTask;

  constructor(options: TaskChangeWorkOptions) {
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

  #lead(signal: AbortSignal): Promise<void> {
    const { changes, log, everyMs = 1000 } = this.#options;
    const sweep = async (): Promise<void> => {
      for (const id of await changes.open()) {
        // A task whose jobs cannot be changed must not hold up the others.
        await this.#change(id, signal).catch((err: unknown) =>
          log.warn({ err, taskId: id }, 'change of a task interrupted'),
        );
      }
    };
    return repeat(sweep, everyMs, signal, (err) => log.warn({ err }, 'search for changes of tasks failed'));
  }

  async #change(taskId: string, signal: AbortSignal): Promise<void> {
    const { changes, clock } = this.#options;
    while (!signal.aborted) {
      const task = await changes.changing(taskId);
      if (!task) return;
      const { openChange, createdJobs, createdAt } = task;
      // Jobs that are being created may exist out of order, with the earlier values.
      const isComplete = createdJobs >= openChange.upTo;
      if (createdJobs === 0 && !isComplete) return;
      const last = isComplete ? undefined : batchJobIds(taskId, createdAt)(createdJobs - 1);
      const ids = await this.#page(taskId, openChange.position, last);
      const position = ids.at(-1);
      if (position === undefined) return isComplete ? changes.end(task, clock.now()) : undefined;
      if (!(await this.#apply(task, ids, position))) return;
    }
  }

  async #page(
    taskId: string,
    after: string | undefined,
    last: string | undefined,
  ): Promise<readonly string[]> {
    const { jobs, pageSize = 1000 } = this.#options;
    const plan = planJobFilter({ taskIds: [taskId], states: waitingStates }, '*', []);
    const ids = await jobs.ids(plan, pageSize, after);
    return last === undefined ? ids : ids.filter((id) => id <= last);
  }

  /** @returns false if another process has applied the page */
  async #apply(task: ChangingTask, ids: readonly string[], position: string): Promise<boolean> {
    const { jobs, classes, writer, changes, clock } = this.#options;
    const { openChange } = task;
    const counts = { changedJobs: 0, keptJobs: 0 };
    let open = ids;
    for (let round = 0; open.length > 0 && round < maxRounds; round += 1) {
      const found: readonly ChangeableJob[] = await jobs.find(open, changeableProjection);
      const now = clock.now();
      const requests = found.flatMap((job) => requestFor(job, openChange, counts, now));
      await classes.ensure(new Map(requests.flatMap(({ change }) => classOf(change))), now);
      const outcomes = await writer.apply(requests);
      counts.changedJobs += outcomes.filter(({ applied }) => applied).length;
      // Started, held or released meanwhile, or changed by somebody else.
      open = outcomes.flatMap(({ applied, jobId }) => (applied ? [] : [jobId]));
    }
    if (open.length > 0)
      throw new Error(`task ${task._id}: the states of ${open.length} jobs change too quickly`);
    return changes.advance(task, position, counts);
  }
}

function requestFor(
  job: ChangeableJob,
  open: OpenTaskChange,
  counts: { -readonly [K in keyof Counts]: Counts[K] },
  now: Date,
): readonly TransitionRequest[] {
  const outcome = jobChange(job, open.values, open, now);
  if (outcome === 'changed') counts.changedJobs += 1;
  else if (outcome === 'kept') counts.keptJobs += 1;
  return typeof outcome === 'string' ? [] : [outcome];
}

function classOf(change: TransitionRequest['change']) {
  const { requirements } = change ?? {};
  return requirements ? [[requirements.classId, requirements.requirements] as const] : [];
}
