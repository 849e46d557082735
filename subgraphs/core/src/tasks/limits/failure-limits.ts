import { LRUCache } from 'lru-cache';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import type { JobCountsRepository } from '../../jobs/model/job-counts.repository.js';
import { isTerminal } from '../../jobs/model/job-state.js';
import type { EventHandler } from '../../jobs/transitions/event-work.js';
import type { LeaderWork } from '../../shared/leader-task.js';
import type { TaskControl } from '../control/task-control.js';
import type { TaskControlRepository } from '../control/task-control.repository.js';
import { endedJobsOf, exceeded } from './failure-limit.js';
import type { EndedJobs, StoredFailureLimit } from './failure-limit.types.js';

/** Dependencies of {@link FailureLimits}. */
export interface FailureLimitsOptions {
  readonly tasks: Pick<TaskControlRepository, 'failureLimits' | 'countFailuresFrom'>;
  readonly jobCounts: Pick<JobCountsRepository, 'stateCounts'>;
  readonly control: Pick<TaskControl, 'command'>;
  readonly leader: LeaderWork;
}

/** A task with a limit, and its ended jobs: never fewer than there are. */
interface Watched {
  readonly limit: StoredFailureLimit;
  readonly jobs: EndedJobs;
}

/** Actor of the commands. */
const limitActor = 'system:failure-limit';
/** Maximum number of tasks of which it is known whether they have a limit; a forgotten one costs a read. */
const maxRemembered = 50_000;

/**
 * Gives tasks their command when too many of their jobs have failed, on the leader. Ended jobs are counted
 * from the event stream; a task with a limit is counted in the store when its first failure is seen, and
 * before a command.
 */
export class FailureLimits implements EventHandler {
  readonly name = 'failure limits';
  readonly #options: FailureLimitsOptions;
  readonly #known = new LRUCache<string, Watched | false>({ max: maxRemembered });

  constructor(options: FailureLimitsOptions) {
    this.#options = options;
    // Another process may have followed the events in between.
    options.leader.onGained(() => this.#known.clear());
  }

  async handle(events: readonly JobEvent[]): Promise<void> {
    const ends = endsByTask(events);
    const unknown = [...ends].flatMap(([id, { failed }]) => (failed > 0 && !this.#known.has(id) ? [id] : []));
    await this.#watch(unknown);
    for (const [taskId, added] of ends) {
      const watched = this.#known.get(taskId);
      if (!watched) continue;
      const jobs = unknown.includes(taskId) ? watched.jobs : sum(watched.jobs, added);
      this.#known.set(taskId, { ...watched, jobs });
      if (exceeded(watched.limit, jobs) !== undefined) await this.#act(taskId, watched.limit);
    }
  }

  /** Forgets all counts: events may have been missed. */
  async recover(): Promise<void> {
    this.#known.clear();
  }

  /** Reads the limits of tasks, and counts the jobs of those that have one. */
  async #watch(taskIds: readonly string[]): Promise<void> {
    if (taskIds.length === 0) return;
    const { tasks, jobCounts } = this.#options;
    const limits = await tasks.failureLimits(taskIds);
    if (limits.size === 0) {
      for (const id of taskIds) this.#known.set(id, false);
      return;
    }
    const counts = await jobCounts.stateCounts([...limits.keys()]);
    for (const id of taskIds) {
      const limit = limits.get(id);
      this.#known.set(id, limit ? { limit, jobs: endedJobsOf(counts.get(id) ?? {}) } : false);
    }
  }

  /** Counts the jobs, since retried jobs and repeated events are not subtracted, and gives the command. */
  async #act(taskId: string, limit: StoredFailureLimit): Promise<void> {
    const { tasks, jobCounts, control } = this.#options;
    const jobs = endedJobsOf((await jobCounts.stateCounts([taskId])).get(taskId) ?? {});
    const reason = exceeded(limit, jobs);
    if (reason === undefined) {
      this.#known.set(taskId, { limit, jobs });
      return;
    }
    await control.command(limit.action, taskId, { by: limitActor, reason });
    await tasks.countFailuresFrom(taskId, jobs);
    this.#known.set(taskId, { limit: { ...limit, from: jobs }, jobs });
  }
}

function endsByTask(events: readonly JobEvent[]): ReadonlyMap<string, EndedJobs> {
  const ends = new Map<string, EndedJobs>();
  for (const { last } of events) {
    if (last.taskId === undefined || !isTerminal(last.to) || last.from === last.to) continue;
    const added = { failed: Number(last.to === 'FAILED'), ended: 1 };
    ends.set(last.taskId, sum(ends.get(last.taskId) ?? { failed: 0, ended: 0 }, added));
  }
  return ends;
}

function sum(a: EndedJobs, b: EndedJobs): EndedJobs {
  return { failed: a.failed + b.failed, ended: a.ended + b.ended };
}
