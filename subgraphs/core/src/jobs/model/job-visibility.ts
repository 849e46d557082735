/** Pure rules for reading jobs: permission to read a job, and the parts that are hidden. */
import {
  assertCan,
  type AttemptReference,
  can,
  describePrincipal,
  experimentsFor,
  owns,
  type Principal,
} from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { isHeld } from './job-state.js';
import type { JobDocument } from './job.types.js';

/** Fields of a job that the rules read. */
export type JobView = Pick<
  JobDocument,
  '_id' | 'experiment' | 'owner' | 'submittedBy' | 'taskId' | 'share' | 'state' | 'queue' | 'workerId'
>;

/** Fields that decide about the token of an attempt. */
type AttemptFacts = Partial<Pick<JobDocument, '_id' | 'fence' | 'state'>>;

/** The token of an attempt counts for its job alone, and ends with the fence. */
function isOfAttempt({ jobId, fence }: AttemptReference, job: AttemptFacts): boolean {
  return job._id === jobId && job.fence === fence && job.state !== undefined && isHeld(job.state);
}

/**
 * Returns true if the principal may read the job. It needs the permission. The holder of a worker's
 * credential may only read jobs that this worker has or had last, a pilot with the token of a queue those of
 * the queue.
 */
export function maySeeJob(
  principal: Principal,
  job: Pick<JobView, 'experiment' | 'queue' | 'workerId'> & AttemptFacts,
): boolean {
  if (principal.attempt && !isOfAttempt(principal.attempt, job)) return false;
  return can(principal, 'job:read', job.experiment) && isItsOwn(principal, job);
}

/**
 * Returns true if the principal may read the job because it may read a job that waited for it: a pilot stages
 * the outputs of parents.
 */
export function maySeeParent(principal: Principal, parent: Pick<JobView, 'experiment'>): boolean {
  return principal.attempt === undefined && can(principal, 'job:read', parent.experiment);
}

/**
 * Returns false for workers other than the current or last one of the job, and for pilots of other queues.
 */
export function isItsOwn(
  { kind, queue, worker }: Principal,
  job: Pick<JobView, 'queue' | 'workerId'>,
): boolean {
  if (kind !== 'PILOT') return true;
  if (worker !== undefined && worker !== job.workerId) return false;
  return queue !== undefined && queue === job.queue;
}

/**
 * Experiments whose jobs the principal may read, limited to those that a filter names; undefined for all.
 * @throws DomainError FORBIDDEN for a named experiment that is not theirs
 */
export function readableExperiments(
  principal: Principal,
  named: readonly string[] | null | undefined,
): readonly string[] | undefined {
  for (const experiment of named ?? []) assertCan(principal, 'job:read', experiment);
  const readable = experimentsFor(principal, 'job:read');
  return named ?? (readable === '*' ? undefined : readable);
}

/**
 * Names of the queues whose jobs a principal may list, count and follow; undefined for all. A pilot has its
 * own queue. A worker has none: it reads the jobs that it holds by id, and is sent commands.
 */
export function listableQueues({ kind, queue, worker }: Principal): readonly string[] | undefined {
  if (kind !== 'PILOT') return undefined;
  return queue === undefined || worker !== undefined ? [] : [queue];
}

/**
 * Rejects a pilot that reads the log of an attempt in another queue.
 * @throws DomainError FORBIDDEN
 */
export function assertMayReadLog(
  principal: Principal,
  job: Pick<JobDocument, '_id' | 'queue' | 'queueId' | 'workerId' | 'attempts'>,
  attempt: number,
): void {
  const { kind, worker } = principal;
  if (kind !== 'PILOT') return;
  const of = job.attempts.find(({ number }) => number === attempt);
  const isOther = of && (worker === undefined ? of.queueId !== job.queueId : of.workerId !== worker);
  if (isItsOwn(principal, job) && !isOther) return;
  throw new DomainError(
    'FORBIDDEN',
    `${describePrincipal(principal)} may not read the log of attempt ${attempt} of job ${job._id}: it ran ${worker === undefined ? 'in another queue' : 'on another worker'}`,
    { field: 'attempt', value: attempt },
  );
}

/**
 * Returns true if the principal may read the payload's environment, which may contain secrets. Permitted are
 * the owner, the service that submitted the job for the owner, principals that manage the jobs of others, and
 * the worker that holds the job; agents never are. The token of a queue is good for every worker of the
 * queue.
 */
export function maySeeEnvironment(principal: Principal, job: JobView): boolean {
  const { kind } = principal;
  if (kind === 'AGENT') return false;
  if (kind === 'PILOT') return isHeld(job.state) && maySeeJob(principal, job);
  const isOwn = owns(principal, job.owner) || owns(principal, job.submittedBy);
  return isOwn || can(principal, 'job:manageAny', job.experiment);
}
