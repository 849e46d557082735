import type { Clock } from '@rhizome/clock';
import type { StateCounts } from '../jobs/ports.js';
import type { JobEvent } from '../jobs/model/job-event.types.js';
import type { EventHandler } from '../jobs/transitions/event-work.js';
import { endedOf, isTerminal } from '../jobs/model/job-state.js';
import type { JobCountsRepository } from '../jobs/model/job-counts.repository.js';
import {
  type EndedTaskState,
  hasTaskEnded,
  type StoredTaskCommand,
  type TaskFacts,
} from './task.document.js';
import type { TasksRepository } from './tasks.repository.js';

/** Dependencies of {@link Completion}. */
export interface CompletionOptions {
  readonly tasks: TasksRepository;
  readonly jobCounts: JobCountsRepository;
  /** Decides about tasks whose scouts may have ended. */
  readonly scouting: { check(tasks: readonly TaskFacts[]): Promise<void> };
  readonly clock: Clock;
}

/** Maximum number of tasks whose open jobs are cached; a forgotten one costs a count. */
const maxRemembered = 50_000;
const pageSize = 200;

/** Ends tasks when their last job has ended, and scouting when the last scout has. */
export class Completion implements EventHandler {
  readonly name = 'task completion';
  readonly #options: CompletionOptions;
  /**
   * Open jobs of a task at the last count, minus the ends since then: a lower bound that may be too low but
   * never too high.
   */
  readonly #missing = new Map<string, number>();
  /** Serialises counts and ends: a count must not overwrite an end that came after it. */
  #order: Promise<void> = Promise.resolve();

  constructor(options: CompletionOptions) {
    this.#options = options;
  }

  async handle(events: readonly JobEvent[]): Promise<void> {
    const ends = new Map<string, number>();
    for (const { last } of events) {
      if (last.taskId !== undefined && isTerminal(last.to) && last.from !== last.to)
        ends.set(last.taskId, (ends.get(last.taskId) ?? 0) + 1);
    }
    if (ends.size > 0) await this.#inOrder(() => this.#applyEnds(ends));
  }

  /** Clears the cache, as in a new term, and checks all running tasks. */
  async recover(signal: AbortSignal): Promise<void> {
    await this.#inOrder(() => this.#missing.clear());
    await this.lookThrough(signal);
  }

  /**
   * Counts the open tasks that are not cached. Their last job may have ended before they were RUNNING, and
   * the process that set them RUNNING may have ended before it counted.
   */
  async lookThrough(signal: AbortSignal): Promise<void> {
    let behind = '';
    while (!signal.aborted) {
      const open = await this.#options.tasks.expanded(behind, pageSize);
      if (open.length === 0) return;
      await this.check(open.flatMap(({ _id }) => (this.#missing.has(_id) ? [] : [_id])));
      behind = open.at(-1)?._id ?? behind;
    }
  }

  /** Counts the jobs of these tasks and ends the tasks without live jobs. */
  async check(taskIds: readonly string[]): Promise<void> {
    if (taskIds.length > 0) await this.#inOrder(() => this.#check(taskIds));
  }

  #inOrder(work: () => Promise<void> | void): Promise<void> {
    const next = this.#order.then(work);
    this.#order = next.catch(() => undefined);
    return next;
  }

  async #applyEnds(ends: ReadonlyMap<string, number>): Promise<void> {
    const due: string[] = [];
    for (const [taskId, count] of ends) {
      const missing = (this.#missing.get(taskId) ?? 0) - count;
      if (missing <= 0) due.push(taskId);
      else this.#missing.set(taskId, missing);
    }
    await this.#check(due);
  }

  async #check(taskIds: readonly string[]): Promise<void> {
    const due = [...taskIds];
    while (due.length > 0) due.push(...(await this.#checkPage(due.splice(0, pageSize))));
  }

  /** @returns tasks that changed during the count and must be counted again */
  async #checkPage(taskIds: readonly string[]): Promise<readonly string[]> {
    const { tasks, jobCounts, scouting, clock } = this.#options;
    const all = await tasks.facts(taskIds);
    const scouted = all.filter(({ createUpTo }) => createUpTo !== undefined);
    if (scouted.length > 0) await scouting.check(scouted);
    const found = all.filter(hasOnlyExistingJobs);
    if (found.length === 0) return [];
    const counts = await jobCounts.stateCounts(found.map(({ _id }) => _id));
    const changed: string[] = [];
    for (const { _id, revision, totalJobs, control } of found) {
      const of = counts.get(_id) ?? {};
      const missing = totalJobs - endedOf(of);
      if (missing > 0) this.#remember(_id, missing);
      else {
        this.#missing.delete(_id);
        // A retry of jobs meanwhile reopens the task and changes its revision.
        if (!(await tasks.end({ _id, revision }, endStateOf(of, control), of, clock.now())))
          changed.push(_id);
      }
    }
    return changed;
  }

  #remember(taskId: string, missing: number): void {
    if (this.#missing.size >= maxRemembered) this.#missing.clear();
    this.#missing.set(taskId, missing);
  }
}

/** Returns true for an open task that gets no more jobs. */
function hasOnlyExistingJobs(task: TaskFacts): boolean {
  return !hasTaskEnded(task) && task.state !== 'EXPANDING' && task.createdJobs === task.totalJobs;
}

/** State of a task whose jobs have all ended. */
export function endStateOf(counts: StateCounts, control?: StoredTaskCommand): EndedTaskState {
  const { FINISHED = 0, FAILED = 0, CANCELLED = 0, CLOSED = 0 } = counts;
  if (FAILED + CANCELLED + CLOSED === 0) return 'FINISHED';
  if (control?.action === 'FINISH') return 'DONE';
  if (control?.action === 'ABORT') return 'CANCELLED';
  return FINISHED === 0 && FAILED === 0 && CANCELLED > 0 ? 'CANCELLED' : 'FAILED';
}
