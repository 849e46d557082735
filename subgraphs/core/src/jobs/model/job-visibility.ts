/** Pure rules for reading jobs: permission to read a job, and the parts that are hidden. */
import { can, describePrincipal, type Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { isHeld } from './job-state.js';
import type { JobDocument } from './job.types.js';

/** Fields of a job that the rules read. */
export type JobView = Pick<JobDocument, 'experiment' | 'owner' | 'submittedBy' | 'state' | 'queue'>;

/**
 * Returns true if the principal may read the job. It needs the permission; a pilot may only read jobs that
 * its queue has or had last.
 */
export function maySeeJob(principal: Principal, job: Pick<JobView, 'experiment' | 'queue'>): boolean {
  return can(principal, 'job:read', job.experiment) && isOfItsQueue(principal, job);
}

/**
 * Returns true if the principal may read the job because it may read a job that waited for it: a pilot stages
 * the outputs of parents.
 */
export function maySeeParent(principal: Principal, parent: Pick<JobView, 'experiment'>): boolean {
  return can(principal, 'job:read', parent.experiment);
}

/** Returns false for pilots of any queue other than the current or last queue of the job. */
export function isOfItsQueue({ kind, queue }: Principal, job: Pick<JobView, 'queue'>): boolean {
  return kind !== 'PILOT' || (queue !== undefined && queue === job.queue);
}

/**
 * Rejects a pilot that reads the log of an attempt in another queue.
 * @throws DomainError FORBIDDEN
 */
export function assertMayReadLog(
  principal: Principal,
  job: Pick<JobDocument, '_id' | 'queue' | 'queueId' | 'attempts'>,
  attempt: number,
): void {
  if (principal.kind !== 'PILOT') return;
  const of = job.attempts.find(({ number }) => number === attempt);
  if (isOfItsQueue(principal, job) && (!of || of.queueId === job.queueId)) return;
  throw new DomainError(
    'FORBIDDEN',
    `${describePrincipal(principal)} may not read the log of attempt ${attempt} of job ${job._id}: it ran in another queue`,
    { field: 'attempt', value: attempt },
  );
}

/**
 * Returns true if the principal may read the payload's environment, which may contain secrets. Permitted are
 * the owner, the service that submitted the job for the owner, principals that manage the jobs of others, and
 * the pilot of the queue that holds the job; agents never are.
 */
export function maySeeEnvironment(principal: Principal, job: JobView): boolean {
  const { kind, subject } = principal;
  if (kind === 'AGENT') return false;
  if (kind === 'PILOT') return isHeld(job.state) && maySeeJob(principal, job);
  return (
    subject === job.owner || subject === job.submittedBy || can(principal, 'job:manageAny', job.experiment)
  );
}
