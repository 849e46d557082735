import type { JobCountsRepository } from '../../jobs/model/job-counts.repository.js';
import { planJobFilter } from '../../jobs/model/job-filter.js';
import type { JobState } from '../../jobs/model/job-state.js';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import type { StateCounts } from '../../jobs/ports.js';

/** Jobs that a command affects. */
export interface TaskCommandEffect {
  readonly jobCount: number;
  readonly states: StateCounts;
  /** Ids of the first of them. */
  readonly jobIds: readonly string[];
}

/** Reads of the affected jobs. */
export interface EffectSources {
  readonly jobCounts: Pick<JobCountsRepository, 'stateCounts'>;
  readonly jobs: Pick<JobsRepository, 'ids'>;
}

const shownJobs = 20;

/** Effect of a command that affects the jobs of a task in these states. */
export async function effectOn(
  taskId: string,
  affected: readonly JobState[],
  { jobCounts, jobs }: EffectSources,
): Promise<TaskCommandEffect> {
  const plan = planJobFilter({ taskIds: [taskId], states: affected }, '*', []);
  const [counts, jobIds] = await Promise.all([jobCounts.stateCounts([taskId]), jobs.ids(plan, shownJobs)]);
  const all = counts.get(taskId) ?? {};
  const states: StateCounts = Object.fromEntries(
    affected.flatMap((state) => (all[state] === undefined ? [] : [[state, all[state]]])),
  );
  const jobCount = Object.values(states).reduce((sum, count) => sum + count, 0);
  return { jobCount, states, jobIds };
}
