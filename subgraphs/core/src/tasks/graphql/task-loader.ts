import type { JobFilterSpec } from '../../jobs/jobs.service.js';
import { can } from '@rhizome/authz';
import { defineLoader, lookAhead } from '@rhizome/subgraph';
import type { KeysetPage } from '@rhizome/mongo';
import type { GraphQLResolveInfo } from 'graphql';
import type { Context } from '../../context.js';
import type { JobState } from '../../jobs/model/job-state.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { JobPageRequest } from '../../jobs/jobs.service.js';
import { pagesOrErrors } from '../../shared/pages-or-errors.js';
import type { TaskFacts, TaskProgressFacts } from '../task.document.js';

/** Loads tasks by id; null if the principal may not read it. */
export const taskLoader = defineLoader<string, TaskFacts, Context>({
  name: 'Task',
  load: (ids, { core, principal }) => core.tasks.findMany(ids, principal),
});

/** Fields of a task that the job also has. */
const knownByJobs: ReadonlySet<string> = new Set(['__typename', 'id', 'experiment']);
const isKnownByJobs = lookAhead('Task', (fields) => [...fields].every((name) => knownByJobs.has(name)));

/**
 * Task of a job. If only fields are selected that the job also has, as gateways do for experiments, no task
 * is read: tasks are never removed.
 */
export function taskOfJob(
  { taskId, experiment }: Pick<JobDocument, 'taskId' | 'experiment'>,
  _args: object,
  { loaders, principal }: Context,
  info: GraphQLResolveInfo,
): Promise<TaskFacts | null> | Pick<TaskFacts, '_id' | 'experiment'> | null {
  if (taskId === undefined) return null;
  if (!isKnownByJobs(info)) return loaders.load(taskLoader, taskId);
  return can(principal, 'task:read', experiment) ? { _id: taskId, experiment } : null;
}

/** Page of the jobs of one task. */
interface TaskJobsKey extends JobPageRequest {
  readonly taskId: string;
  readonly states: readonly JobState[] | null | undefined;
}

/** Loads jobs of tasks; the pages of all tasks of a list are read together. */
export const taskJobsLoader = defineLoader<TaskJobsKey, KeysetPage<JobDocument>, Context>({
  name: 'TaskJobs',
  cacheKey: ({ taskId, states, first, after, projection }) =>
    JSON.stringify([taskId, states, first, after, Object.keys(projection)]),
  load: (keys, { core, principal }) => {
    const wanted = keys.map(({ taskId, states, ...request }) => {
      const filter: JobFilterSpec = { taskIds: [taskId], states };
      return { ...request, filter };
    });
    return pagesOrErrors(wanted, (requests) => core.jobs.pages(principal, requests));
  },
});

/** Loads the progress of tasks, with one count for all tasks of an operation. */
export const progressLoader = defineLoader<TaskFacts, TaskProgressFacts, Context>({
  name: 'TaskProgress',
  cacheKey: ({ _id }) => _id,
  load: (tasks, { core }) => core.tasks.progressOf(tasks),
});
