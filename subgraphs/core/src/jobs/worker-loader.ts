import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../context.js';
import type { WorkerDocument } from '../workers/worker.types.js';

/** Workers by id, for the fields of jobs that lead to them. */
export const workerLoader = defineLoader<string, WorkerDocument, Context>({
  name: 'JobWorker',
  load: (ids, { core }) => core.workers.findMany(ids),
});
