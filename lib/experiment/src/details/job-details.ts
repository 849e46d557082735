/** What a job is to an experiment: found by its task and its position, many in one read. */
import { type Action, can, type Principal } from '@rhizome/authz';
import { defineLoader, type LoaderDefinition, type Loaders } from '@rhizome/subgraph';
import type { SubmissionDocument } from '../submissions/submission.document.js';
import type { SubmissionsRepository } from '../submissions/submissions.repository.js';

/** A job as a gateway hands it over: its key, and what `@requires` brought along. */
export interface JobRepresentation {
  readonly id: string;
  readonly task?: { readonly id: string } | null | undefined;
  readonly taskIndex?: number | null | undefined;
}

/** Where a job stands: its submission and its position in the task. */
export interface JobPlace<T extends SubmissionDocument> {
  readonly submission: T;
  readonly index: number;
}

/** The key that places are found by. */
export interface JobPlaceKey {
  readonly taskId: string;
  readonly index: number;
}

/** Who hands submissions over in this process. */
interface HandingOver {
  readonly isHandingOver: boolean;
  settled(): Promise<void>;
}

/** How long a question waits for a task that is being handed over right now, in milliseconds. */
const handOverMs = 2000;

/**
 * A loader that finds places by one read. It derives from what was submitted, not from events, so it answers also before the event stream
 * has caught up; a task that core has taken this very moment is waited for.
 */
export function jobPlaceLoader<T extends SubmissionDocument>(
  name: string,
  submissions: SubmissionsRepository<T>,
  submitter: HandingOver,
): LoaderDefinition<JobPlaceKey, JobPlace<T>> {
  const placesOf = async (keys: readonly JobPlaceKey[]): Promise<(JobPlace<T> | null)[]> => {
    const found = await submissions.ofTasks([...new Set(keys.map(({ taskId }) => taskId))]);
    const byTask = new Map(found.map((submission) => [submission.taskId, submission]));
    return keys.map(({ taskId, index }) => {
      const submission = byTask.get(taskId);
      return submission && index >= 0 && index < submission.totalJobs ? { submission, index } : null;
    });
  };
  return defineLoader({
    name,
    cacheKey: ({ taskId, index }) => `${taskId}/${index}`,
    load: async (keys) => {
      const places = await placesOf(keys);
      if (!places.includes(null) || !submitter.isHandingOver) return places;
      await atMost(handOverMs, submitter.settled());
      return placesOf(keys);
    },
  });
}

/** What a details resolver looks at. */
interface DetailsContext {
  readonly loaders: Loaders;
  readonly principal: Principal;
}

/**
 * A resolver for `Job.<experiment>`: null for jobs that are not the experiment's, and for callers who may not read its jobs and what it says
 * of them. Whoever reaches the subgraph can name any job: so the caller is asked for both here, and a pilot, which reads the jobs of its
 * queue alone and can prove none of them here, is told nothing.
 * @param read the policy under which the experiment's own things are read, with its name as in the manifest
 * @param loaderOf the `places` of the experiment's submissions, which its context has
 */
export function jobDetails<T extends SubmissionDocument, TContext extends DetailsContext>(
  { action, experiment }: { readonly action: Action; readonly experiment: string },
  loaderOf: (context: TContext) => LoaderDefinition<JobPlaceKey, JobPlace<T>>,
): (job: JobRepresentation, args: object, context: TContext) => Promise<JobPlace<T> | null> {
  const mayRead = (principal: Principal): boolean =>
    principal.kind !== 'PILOT' &&
    can(principal, 'job:read', experiment) &&
    can(principal, action, experiment);
  return async ({ task, taskIndex }, _args, context) => {
    if (!task || taskIndex == null || !mayRead(context.principal)) return null;
    return context.loaders.load(loaderOf(context), { taskId: task.id, index: taskIndex });
  };
}

async function atMost(ms: number, wait: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([wait, over]);
  clearTimeout(timer);
}
