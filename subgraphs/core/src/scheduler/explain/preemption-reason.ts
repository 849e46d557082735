/** Explains which jobs end for a waiting job. Pure. */
import type { Fleet } from '../cache/fleet.js';
import { firstOf } from '../../shared/plural.js';
import type { Ledger } from '../cache/ledger.js';
import type { WaitingJob } from './pending.types.js';

/** Most jobs that are named. */
const mostNamed = 3;

/** Jobs that are preempted for the job; undefined if there are none. */
export function preemptionReason(
  { _id: id }: Pick<WaitingJob, '_id'>,
  { fleet, ledger }: { readonly fleet: Pick<Fleet, 'queues'>; readonly ledger: Ledger },
): string | undefined {
  const found: string[] = [];
  for (const queue of fleet.queues())
    for (const { jobId, preemption } of ledger.preemptible(queue.id))
      if (preemption?.jobId === id) found.push(jobId);
  if (found.length === 0) return undefined;
  const verb = found.length === 1 ? 'ends' : 'end';
  return `${firstOf(found, mostNamed)} ${verb} for it: preempted, because its priority class is higher.`;
}
