/** Who may read a job, and what of it is kept from those who may. Pure rules. */
import { can, type Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { isHeld } from './job-state.js';
import type { JobDocument } from './job.types.js';

/** What the rules read of a job. */
export type JobView = Pick<JobDocument, 'experiment' | 'owner' | 'submittedBy' | 'state' | 'queue'>;

/** Whether the principal may read the job: with the permission, and a pilot only jobs that its queue has, or had last. */
export function maySeeJob(principal: Principal, job: Pick<JobView, 'experiment' | 'queue'>): boolean {
  return can(principal, 'job:read', job.experiment) && isOfItsQueue(principal, job);
}

/** Whether the principal may read a job because it may read one that waited for it: so a pilot stages what parents left. */
export function maySeeParent(principal: Principal, parent: Pick<JobView, 'experiment'>): boolean {
  return can(principal, 'job:read', parent.experiment);
}

/** False for pilots of other queues than the one that has the job, or had it last. */
export function isOfItsQueue({ kind, queue }: Principal, job: Pick<JobView, 'queue'>): boolean {
  return kind !== 'PILOT' || (queue !== undefined && queue === job.queue);
}

/**
 * A pilot reads no logs but those of attempts of its queue.
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
    `PILOT "${principal.subject}" may not read the log of attempt ${attempt} of job ${job._id}: it ran in another queue`,
    { field: 'attempt', value: attempt },
  );
}

/**
 * Whether the principal may read the environment of the payload, in which secrets are handed over: the owner, the service that submitted the
 * job for the owner, who manages the jobs of others, and the pilot of the queue that holds the job. Never an agent.
 */
export function maySeeEnvironment(principal: Principal, job: JobView): boolean {
  const { kind, subject } = principal;
  if (kind === 'AGENT') return false;
  if (kind === 'PILOT') return isHeld(job.state) && maySeeJob(principal, job);
  return (
    subject === job.owner || subject === job.submittedBy || can(principal, 'job:manageAny', job.experiment)
  );
}
