/** An experiment's details of a job: found by task or workflow, and position, many in one read. */
import { type Action, can, type Principal } from '@rhizome/authz';
import { defineLoader, type LoaderDefinition, type Loaders } from '@rhizome/subgraph';
import { coreIdOf, type SubmissionDocument } from '../submissions/submission.document.js';
import type { SubmissionsRepository } from '../submissions/submissions.repository.js';
import type { FixedPart, KnownSubmissions } from './known-submissions.js';

/** A job as the gateway passes it: its key, and the fields of `@requires`. */
export interface JobRepresentation {
  readonly id: string;
  readonly task?: { readonly id: string } | null | undefined;
  readonly taskIndex?: number | null | undefined;
  readonly workflowId?: string | null | undefined;
  readonly workflowIndex?: number | null | undefined;
}

/** Position of a job: its submission, without the progress, and its index in the task or workflow. */
export interface JobPosition<T extends SubmissionDocument> {
  readonly submission: FixedPart<T>;
  readonly index: number;
}

/** Key of a position. */
export interface JobPositionKey {
  /** Of its task or workflow. */
  readonly coreId: string;
  readonly index: number;
}

/** State of the submitter in this process. */
interface SubmissionProgress {
  readonly isSubmitting: boolean;
  settled(): Promise<void>;
}

/** Maximum wait for a submission to core that is under way, in milliseconds. */
const submissionWaitMs = 2000;

/** Loads positions, many in one read; without a read for known submissions. */
export interface JobPositionLoader<T extends SubmissionDocument> extends LoaderDefinition<
  JobPositionKey,
  JobPosition<T>
> {
  /** The position, or null if the submission does not have it; undefined: must be read from the store. */
  known(key: JobPositionKey): JobPosition<T> | null | undefined;
}

/**
 * A loader of positions. It depends on submissions only, not on events, so that it works before the event
 * stream has caught up. It waits for a submission to core that is under way.
 */
export function jobPositionLoader<T extends SubmissionDocument>(
  name: string,
  submissions: SubmissionsRepository<T>,
  submitter: SubmissionProgress,
  memory: KnownSubmissions<T>,
): JobPositionLoader<T> {
  const known = ({ coreId, index }: JobPositionKey): JobPosition<T> | null | undefined => {
    const submission = memory.get(coreId);
    if (submission) return positionIn(submission, index);
    return memory.isForeign(coreId) ? null : undefined;
  };
  const positionsOf = async (keys: readonly JobPositionKey[]): Promise<(JobPosition<T> | null)[]> => {
    const wanted = new Set(keys.map(({ coreId }) => coreId));
    const found = await submissions.ofCoreIds([...wanted]);
    const byCoreId = new Map(found.map((submission) => [coreIdOf(submission), memory.add(submission)]));
    if (!submitter.isSubmitting)
      for (const coreId of wanted) if (!byCoreId.has(coreId)) memory.addForeign(coreId);
    return keys.map(({ coreId, index }) => {
      const submission = byCoreId.get(coreId);
      return submission ? positionIn(submission, index) : null;
    });
  };
  const loader = defineLoader<JobPositionKey, JobPosition<T>>({
    name,
    cacheKey: ({ coreId, index }) => `${coreId}/${index}`,
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
  return (job, _args, context) => {
    const key = keyOf(job);
    if (!key || !mayRead(context.principal)) return null;
    const loader = loaderOf(context);
    const known = loader.known(key);
    return known === undefined ? context.loaders.load(loader, key) : known;
  };
}

/** Place of a job; undefined for a job outside of tasks and workflows. */
function keyOf({
  task,
  taskIndex,
  workflowId,
  workflowIndex,
}: JobRepresentation): JobPositionKey | undefined {
  if (task && taskIndex != null) return { coreId: task.id, index: taskIndex };
  if (workflowId != null && workflowIndex != null) return { coreId: workflowId, index: workflowIndex };
  return undefined;
}

async function atMost(ms: number, wait: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([wait, over]);
  clearTimeout(timer);
}
