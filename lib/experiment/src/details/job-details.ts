/** What a job is to an experiment: found by its task and its position, many in one read. */
import { type Action, can, type Principal } from '@rhizome/authz';
import { defineLoader, type LoaderDefinition, type Loaders } from '@rhizome/subgraph';
import type { SubmissionDocument } from '../submissions/submission.document.js';
import type { SubmissionsRepository } from '../submissions/submissions.repository.js';
import type { FixedPart, KnownSubmissions } from './known-submissions.js';

/** A job as a gateway hands it over: its key, and what `@requires` brought along. */
export interface JobRepresentation {
  readonly id: string;
  readonly task?: { readonly id: string } | null | undefined;
  readonly taskIndex?: number | null | undefined;
}

/** Where a job stands: its submission, without how far that is, and its position in the task. */
export interface JobPlace<T extends SubmissionDocument> {
  readonly submission: FixedPart<T>;
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

/** Finds places, many by one read; those of tasks that were met before without any. */
export interface JobPlaceLoader<T extends SubmissionDocument> extends LoaderDefinition<
  JobPlaceKey,
  JobPlace<T>
> {
  /** The place, or null where the task has none there; undefined: the store must be asked. */
  known(key: JobPlaceKey): JobPlace<T> | null | undefined;
}

/**
 * A loader that finds places by one read. It derives from what was submitted, not from events, so it answers also before the event stream
 * has caught up; a task that core has taken this very moment is waited for.
 */
export function jobPlaceLoader<T extends SubmissionDocument>(
  name: string,
  submissions: SubmissionsRepository<T>,
  submitter: HandingOver,
  memory: KnownSubmissions<T>,
): JobPlaceLoader<T> {
  const known = ({ taskId, index }: JobPlaceKey): JobPlace<T> | null | undefined => {
    const submission = memory.get(taskId);
    if (submission) return placeIn(submission, index);
    return memory.isForeign(taskId) ? null : undefined;
  };
  const placesOf = async (keys: readonly JobPlaceKey[]): Promise<(JobPlace<T> | null)[]> => {
    const wanted = new Set(keys.map(({ taskId }) => taskId));
    const found = await submissions.ofTasks([...wanted]);
    const byTask = new Map(found.map((submission) => [submission.taskId, memory.add(submission)]));
    if (!submitter.isHandingOver)
      for (const taskId of wanted) if (!byTask.has(taskId)) memory.noteForeign(taskId);
    return keys.map(({ taskId, index }) => {
      const submission = byTask.get(taskId);
      return submission ? placeIn(submission, index) : null;
    });
  };
  const loader = defineLoader<JobPlaceKey, JobPlace<T>>({
    name,
    cacheKey: ({ taskId, index }) => `${taskId}/${index}`,
    load: async (keys) => {
      const places = await placesOf(keys);
      if (!places.includes(null) || !submitter.isHandingOver) return places;
      await atMost(handOverMs, submitter.settled());
      return placesOf(keys);
    },
  });
  return Object.freeze({ ...loader, known });
}

function placeIn<T extends SubmissionDocument>(submission: FixedPart<T>, index: number): JobPlace<T> | null {
  const { totalJobs } = submission as FixedPart<SubmissionDocument>;
  return index >= 0 && index < totalJobs ? { submission, index } : null;
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
  loaderOf: (context: TContext) => JobPlaceLoader<T>,
): (
  job: JobRepresentation,
  args: object,
  context: TContext,
) => Promise<JobPlace<T> | null> | JobPlace<T> | null {
  const mayRead = (principal: Principal): boolean =>
    principal.kind !== 'PILOT' &&
    can(principal, 'job:read', experiment) &&
    can(principal, action, experiment);
  return ({ task, taskIndex }, _args, context) => {
    if (!task || taskIndex == null || !mayRead(context.principal)) return null;
    const loader = loaderOf(context);
    const key = { taskId: task.id, index: taskIndex };
    const known = loader.known(key);
    return known === undefined ? context.loaders.load(loader, key) : known;
  };
}

async function atMost(ms: number, wait: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([wait, over]);
  clearTimeout(timer);
}
