/** Applies changes of tasks to requirements and jobs. Pure. */
import type { JobDocument, StoredRequirements } from '../../jobs/model/job.types.js';
import { isWaiting } from '../../jobs/model/job-state.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import { mayReturn, type ResumableJob } from '../../jobs/model/resumable-attempt.js';
import type { TransitionChange, TransitionRequest } from '../../jobs/transitions/transition.types.js';
import type { ShapeClass } from '../scouts/scouts.repository.js';
import {
  changedRequirements,
  type StoredTaskValueChange,
  type StoredTaskValues,
} from './task-change.types.js';

/** Fields of a job that decide what a change makes of it. */
export type ChangeableJob = Pick<
  JobDocument,
  '_id' | 'state' | 'priority' | 'share' | 'requirements' | 'classId' | 'generation' | 'retry'
> &
  ResumableJob & {
    readonly transitions: readonly Pick<JobDocument['transitions'][number], 'operation'>[];
  };

/** Projection for {@link ChangeableJob}. */
export const changeableProjection = {
  state: 1,
  priority: 1,
  share: 1,
  requirements: 1,
  classId: 1,
  generation: 1,
  'retry.maxAttempts': 1,
  attempt: 1,
  'attempts.number': 1,
  'attempts.startedAt': 1,
  'attempts.unreachable': 1,
  'attempts.continuity': 1,
  'attempts.error.code': 1,
  'transitions.operation': 1,
} as const;

/** Author of a change, for the history of the jobs. */
export interface ChangeAuthor {
  readonly id: string;
  readonly by: string;
  readonly reason?: string;
}

/**
 * What to do with a job: a transition; `changed` before; `kept`, because an earlier attempt may return;
 * `untouched`, because it has started, ended, or has the values.
 */
export type JobChange = TransitionRequest | 'changed' | 'kept' | 'untouched';

/** Requirements and class after a change. */
export function changedShape({ requirements, classId }: ShapeClass, values: StoredTaskValues): ShapeClass {
  const changed = changedRequirementsOf(requirements, values);
  const changedId = classIdOf(changed);
  return changedId === classId ? { requirements, classId } : { requirements: changed, classId: changedId };
}

function changedRequirementsOf(
  before: StoredRequirements,
  { memoryMiB, diskMiB, walltimeSeconds, queue }: StoredTaskValues,
): StoredRequirements {
  const { queue: earlier, ...rest } = before;
  const newQueue = queue === undefined ? earlier : (queue ?? undefined);
  return {
    ...rest,
    memoryMiB: memoryMiB ?? before.memoryMiB,
    diskMiB: diskMiB ?? before.diskMiB,
    walltimeSeconds: walltimeSeconds ?? before.walltimeSeconds,
    ...(newQueue === undefined ? {} : { queue: newQueue }),
  };
}

/** Decides about a job. The class of a transition that changes requirements must be stored before it. */
export function jobChange(
  job: ChangeableJob,
  values: StoredTaskValues,
  author: ChangeAuthor,
  now: Date,
): JobChange {
  if (job.transitions.some(({ operation }) => operation === author.id)) return 'changed';
  if (!isWaiting(job.state)) return 'untouched';
  const shape = changedShape(job, values);
  const isKept = shape.classId !== job.classId && mayReturn(job, now);
  const change: TransitionChange = {
    ...(differs(values.priority, job.priority) ? { priority: values.priority } : {}),
    ...(differs(values.share, job.share) ? { share: values.share } : {}),
    ...(differs(values.maxAttempts, job.retry.maxAttempts) ? { maxAttempts: values.maxAttempts } : {}),
    ...(shape.classId === job.classId || isKept ? {} : { requirements: shape }),
  };
  if (Object.keys(change).length === 0) return isKept ? 'kept' : 'untouched';
  const isPlaced = change.requirements !== undefined || change.share !== undefined;
  return {
    jobId: job._id,
    from: job.state,
    to: job.state,
    by: 'principal',
    actor: author.by,
    reason: reasonOf(job, values, change, author),
    operation: author.id,
    ...(isPlaced ? { generation: job.generation ?? 0 } : {}),
    change,
  };
}

/** The changed values of a template, before and after. */
export function valueChanges(
  before: Required<StoredTaskValues>,
  values: StoredTaskValues,
): readonly StoredTaskValueChange[] {
  return (Object.keys(values) as (keyof StoredTaskValues)[]).map((field) => ({
    field,
    before: textOf(before[field]),
    after: textOf(values[field]),
  }));
}

function differs<T>(wanted: T | undefined, present: T): wanted is T {
  return wanted !== undefined && wanted !== present;
}

function reasonOf(
  job: ChangeableJob,
  values: StoredTaskValues,
  change: TransitionChange,
  { reason }: ChangeAuthor,
): string {
  const { memoryMiB, diskMiB, walltimeSeconds, queue = null } = job.requirements;
  const before = {
    ...{ priority: job.priority, share: job.share, maxAttempts: job.retry.maxAttempts },
    ...{ memoryMiB, diskMiB, walltimeSeconds, queue, maxRunningJobs: null },
  };
  const placed = change.requirements ? changedRequirements : [];
  const fields = new Set<string>([...placed, ...Object.keys(change)]);
  const parts = valueChanges(before, values)
    .filter((one) => fields.has(one.field) && one.before !== one.after)
    .map((one) => `${one.field} ${one.before ?? 'any'} to ${one.after ?? 'any'}`);
  const why = reason === undefined ? '' : `: ${reason}`;
  return `Task changed, ${parts.join(', ')}${why}`;
}

function textOf(value: number | string | null | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}
