/** Loading of workers and their leases: batched for all fields of an operation. */
import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../context.js';
import type { LeaseDocument, WorkerDocument } from './worker.types.js';

/** Workers by id. */
export const workerLoader = defineLoader<string, WorkerDocument, Context>({
  name: 'Worker',
  load: (ids, { core }) => core.fleet.workers.findMany(ids),
});

/** Leases by worker; a worker that lives no more has none. */
export const leaseLoader = defineLoader<string, LeaseDocument, Context>({
  name: 'Lease',
  load: (ids, { core }) => core.fleet.workers.leases(ids),
});
