/** Loading of workers and their leases: batched for all fields of an operation. */
import { defineLoader, entity } from '@rhizome/subgraph';
import type { Context } from '../context.js';
import type { LeaseDocument, WorkerDocument } from './worker.types.js';

/** Workers by id; those of queues that the principal may not see are null. */
export const workerEntity = entity<WorkerDocument, string, Context>({
  type: 'Worker',
  key: 'id',
  load: (ids, { core, principal }) => core.fleet.workers.findMany(ids, principal),
});

/** Leases by worker; a worker that lives no more has none. */
export const leaseLoader = defineLoader<string, LeaseDocument, Context>({
  name: 'Lease',
  load: (ids, { core }) => core.fleet.workers.leases(ids),
});
