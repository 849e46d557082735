/** An experiment's details of a job: found by task and position, many in one read. */
import { type Action, can, type Principal } from '@rhizome/authz';
import { defineLoader, type LoaderDefinition, type Loaders } from '@rhizome/subgraph';
import type { SubmissionDocument } from '../submissions/submission.document.js';
import type { SubmissionsRepository } from '../submissions/submissions.repository.js';
import type { FixedPart, KnownSubmissions } from './known-submissions.js';

/** A job as the gateway passes it: its key, and the fields of `@requires`. */
export interface JobRepresentation {
  readonly id: string;
  readonly task?: { readonly id: string } | null | undefined;
  readonly taskIndex?: number | null | undefined;
}

/** Position of a job: its submission, without the progress, and its index in the task. */
export interface JobPosition<T extends SubmissionDocument> {
  readonly submission: FixedPart<T>;
  readonly index: number;
}

/** Key of a position. */
export interface JobPositionKey {
  readonly taskId: string;
  readonly index: number;
}

/** State of the submitter in this process. */
interface SubmissionProgress {
  readonly isSubmitting: boolean;
  settled(): Promise<void>;
}

/** Maximum wait for a task that is being submitted right now, in milliseconds. */
const submissionWaitMs = 2000;

/** Loads positions, many in one read; without a read for known tasks. */
export interface JobPositionLoader<T extends SubmissionDocument> extends LoaderDefinition<
  JobPositionKey,
  JobPosition<T>
> {
  /** The position, or null if the task does not have it; undefined: must be read from the store. */
  known(key: JobPositionKey): JobPosition<T> | null | undefined;
}

/**
 * A loader of positions. It depends on submissions only, not on events, so that it works before the event
 * stream has caught up. It waits for a task that is being submitted.
 */
export function jobPositionLoader<T extends SubmissionDocument>(
  name: string,
  submissions: SubmissionsRepository<T>,
  submitter: SubmissionProgress,
  memory: KnownSubmissions<T>,
): JobPositionLoader<T> {
  const known = ({ taskId, index }: JobPositionKey): JobPosition<T> | null | undefined => {
    const submission = memory.get(taskId);
    if (submission) return positionIn(submission, index);
    return memory.isForeign(taskId) ? null : undefined;
  };
  const positionsOf = async (keys: readonly JobPositionKey[]): Promise<(JobPosition<T> | null)[]> => {
    const wanted = new Set(keys.map(({ taskId }) => taskId));
    const found = await submissions.ofTasks([...wanted]);
    const byTask = new Map(found.map((submission) => [submission.taskId, memory.add(submission)]));
    if (!submitter.isSubmitting)
      for (const taskId of wanted) if (!byTask.has(taskId)) memory.addForeign(taskId);
    return keys.map(({ taskId, index }) => {
      const submission = byTask.get(taskId);
      return submission ? positionIn(submission, index) : null;
    });
  };
  const loader = defineLoader<JobPositionKey, JobPosition<T>>({
    name,
    cacheKey: ({ taskId, index }) => `${taskId}/${index}`,
    load: async (keys) => {
      const positions = await positionsOf(keys);
      if (!positions.includes(null) || !submitter.isSubmitting) return positions;
      await atMost(submissionWaitMs, submitter.settled());
      return positionsOf(keys);
    },
  });
  return Object.freeze({ ...loader, known });
}

function positionIn<T extends SubmissionDocument>(
  submission: FixedPart<T>,
  index: number,
): JobPosition<T> | null {
  const { totalJobs } = submission as FixedPart<SubmissionDocument>;
  return index >= 0 && index < totalJobs ? { submission, index } : null;
}

/** Context that a details resolver needs. */
interface DetailsContext {
  readonly loaders: Loaders;
  readonly principal: Principal;
}

/**
 * A resolver for `Job.<experiment>`: null for jobs of others, and for callers without permission to read its
 * jobs and its details. Anyone who reaches the subgraph can name any job, so both permissions are checked
 * here. A pilot may read the jobs of its queue only, which cannot be checked here, and gets null.
 * @param read action to read the experiment's own data, and the experiment's name in the manifest
 * @param loaderOf returns the `jobPositions` loader of the experiment's submissions
 */
export function jobDetails<T extends SubmissionDocument, TContext extends DetailsContext>(
  { action, experiment }: { readonly action: Action; readonly experiment: string },
  loaderOf: (context: TContext) => JobPositionLoader<T>,
): (
  job: JobRepresentation,
  args: object,
  context: TContext,
) => Promise<JobPosition<T> | null> | JobPosition<T> | null {
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
