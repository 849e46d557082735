/** Limits of queues, and offers of workers, for the requirements of nodes. */
import type { QueueDirectory } from '../../jobs/ports.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';

/** Returns why jobs would wait; undefined if a worker that is present fits. */
export type WhyNoWorker = (
  requirements: StoredRequirements,
  share: string,
  priority: number,
) => Promise<string | undefined>;

/** Most requirement classes that are looked at for a warning. */
export const maxWarned = 50;

/** Limit of the queue that the requirements name and exceed; undefined if there is none. */
export async function exceededLimit(
  queues: Pick<QueueDirectory, 'boundsOf'>,
  { queue, cores, memoryMiB, walltimeSeconds }: StoredRequirements,
): Promise<{ readonly field: string; readonly value: number; readonly limit: number } | undefined> {
  const bounds = queue === undefined ? null : await queues.boundsOf(queue);
  const { maxCores, maxMemoryMiB, maxWalltimeSeconds } = bounds ?? {};
  const all = [
    { field: 'cores', value: cores, limit: maxCores },
    { field: 'memoryMiB', value: memoryMiB, limit: maxMemoryMiB },
    { field: 'walltimeSeconds', value: walltimeSeconds, limit: maxWalltimeSeconds },
  ];
  const over = all.find(({ value, limit }) => limit !== undefined && value > limit);
  return over?.limit === undefined ? undefined : { ...over, limit: over.limit };
}
