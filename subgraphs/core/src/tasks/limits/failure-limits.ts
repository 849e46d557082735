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
  readonly jobCounts: Pick<JobCountsRepository, 'stateCountsUpTo'>;
  readonly control: Pick<TaskControl, 'command'>;
  readonly leader: LeaderWork;
}

/** A task with a limit, and its ended jobs. Jobs that were retried since the last count are among them. */
interface Watched {
  readonly limit: StoredFailureLimit;
  readonly jobs: EndedJobs;
  /** Position in the stream up to which they are counted. */
  readonly upTo: string;
}

/** Actor of the commands. */
const limitActor = 'system:failure-limit';
/** Maximum number of tasks of which it is known whether they have a limit; a forgotten one costs a read. */
const maxRemembered = 50_000;

/**
 * Gives tasks their command when too many of their jobs have failed, on the leader. Ended jobs are counted
 * from the event stream, each event once; a task with a limit is counted in the store when its first failure
 * is seen, and before a command.
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
    await this.#watch(
      [...ends].flatMap(([id, all]) => (all.some(isFailure) && !this.#known.has(id) ? [id] : [])),
    );
    for (const [taskId, all] of ends) {
      const watched = this.#known.get(taskId);
      if (!watched) continue;
      const now = added(watched, all);
      this.#known.set(taskId, now);
      if (exceeded(now.limit, now.jobs) !== undefined) await this.#act(taskId, now.limit);
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
    const { counts, upTo } = await jobCounts.stateCountsUpTo([...limits.keys()]);
    for (const id of taskIds) {
      const limit = limits.get(id);
      this.#known.set(id, limit ? { limit, jobs: endedJobsOf(counts.get(id) ?? {}), upTo } : false);
    }
  }

  /** Counts the jobs, since retried jobs are not subtracted, and gives the command. */
  async #act(taskId: string, limit: StoredFailureLimit): Promise<void> {
    const { tasks, jobCounts, control } = this.#options;
    const { counts, upTo } = await jobCounts.stateCountsUpTo([taskId]);
    const jobs = endedJobsOf(counts.get(taskId) ?? {});
    const reason = exceeded(limit, jobs);
    if (reason === undefined) {
      this.#known.set(taskId, { limit, jobs, upTo });
      return;
    }
    await control.command(limit.action, taskId, { by: limitActor, reason });
    await tasks.countFailuresFrom(taskId, jobs);
    this.#known.set(taskId, { limit: { ...limit, from: jobs }, jobs, upTo });
  }
}

function endsByTask(events: readonly JobEvent[]): ReadonlyMap<string, readonly JobEvent[]> {
  const ends = new Map<string, JobEvent[]>();
  for (const event of events) {
    const { taskId, from, to } = event.last;
    if (taskId === undefined || !isTerminal(to) || from === to) continue;
    const all = ends.get(taskId);
    if (all) all.push(event);
    else ends.set(taskId, [event]);
  }
  return ends;
}

function isFailure({ last }: JobEvent): boolean {
  return last.to === 'FAILED';
}

/** Adds the ends that are not counted yet. */
function added({ limit, jobs, upTo }: Watched, ends: readonly JobEvent[]): Watched {
  const fresh = ends.filter(({ token }) => token > upTo);
  const { failed, ended } = jobs;
  return {
    limit,
    jobs: { failed: failed + fresh.filter(isFailure).length, ended: ended + fresh.length },
    upTo: fresh.at(-1)?.token ?? upTo,
  };
}
