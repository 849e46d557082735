/**
 * The job of a grant, with the fields that the grant contains. An operation that selects no others needs no
 * read.
 */
import { experimentOf } from '../../scheduler/cache/ready-windows.js';
import type { GrantedJob } from '../../scheduler/scheduler.types.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import { selectsOnly } from '../../shared/selects-only.js';

/** Checks that an operation selects only fields whose resolvers need no more than {@link jobOfGrant} has. */
export const isKnownFromGrant = selectsOnly(
  new Set([
    '__typename',
    'id',
    'experiment',
    'owner',
    'share',
    'sharePath',
    'state',
    'attempt',
    'worker',
    'workerId',
  ]),
);

/** Returns the job as its grant left it. Only the fields set here can be resolved from it. */
export function jobOfGrant(
  { jobId, attempt }: { readonly jobId: string; readonly attempt: number },
  { owner, share, queue, workerId }: GrantedJob,
): JobDocument {
  const known: Partial<JobDocument> = {
    _id: jobId,
    experiment: experimentOf(share),
    owner,
    share,
    state: 'SENT',
    attempt,
    queue,
    workerId,
  };
  return known as JobDocument;
}
