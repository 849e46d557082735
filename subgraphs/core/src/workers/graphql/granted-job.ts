/** The job of a grant, as far as the grant itself tells: who asks for no more spares the store a read. */
import { experimentOf } from '../../scheduler/cache/ready-windows.js';
import type { GrantedJob } from '../../scheduler/scheduler.types.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import { selectsOnly } from '../../shared/selects-only.js';

/** Whether a grant tells all that is selected of its job: fields whose resolvers need no more than {@link jobOfGrant} has. */
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

/** The job as its grant left it: these fields can be resolved from it, and no others. */
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
