/** Loaders of workers and their leases, batched for all fields of an operation. */
import type { KeysetPage } from '@rhizome/mongo';
import { defineLoader, entity } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import { pagesOrErrors } from '../../shared/pages-or-errors.js';
import type { LeaseDocument, WorkerDocument } from '../worker.types.js';

/** Loads workers by id; those of queues that the principal may not see are null. */
export const workerEntity = entity<WorkerDocument, string, Context>({
  type: 'Worker',
  key: 'id',
  load: (ids, { core, principal }) => core.fleet.workerDirectory.findMany(ids, principal),
});

/** Loads leases by worker; a worker that has ended or was lost has none. */
export const leaseLoader = defineLoader<string, LeaseDocument, Context>({
  name: 'Lease',
  load: (ids, { core }) => core.fleet.workerDirectory.leases(ids),
});

/** A page of the workers of one queue. */
interface QueueWorkersKey {
  readonly queue: string;
  readonly first: number;
  readonly after: string | null | undefined;
}

/** Loads workers of queues: the pages of all queues of a list are read together. */
export const queueWorkersLoader = defineLoader<QueueWorkersKey, KeysetPage<WorkerDocument>, Context>({
  name: 'QueueWorkers',
  cacheKey: ({ queue, first, after }) => JSON.stringify([queue, first, after]),
  load: (keys, { core, principal }) => {
    const wanted = keys.map(({ queue, ...page }) => ({ query: { queues: [queue] }, ...page }));
    return pagesOrErrors(wanted, (requests) => core.fleet.workerDirectory.pages(principal, requests));
  },
});
