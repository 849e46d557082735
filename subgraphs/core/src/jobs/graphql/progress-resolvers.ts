/** Resolvers of progress and checkpoints: unpack, call, map. */
import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import type { Resolvers } from '../../types.generated.js';
import type { JobProgressDocument } from '../checkpoints/job-progress.document.js';
import type { JobDocument } from '../model/job.types.js';

/** Loads progress and checkpoints; those of all jobs of a list are read together. */
export const progressLoader = defineLoader<string, JobProgressDocument, Context>({
  name: 'JobProgress',
  cacheKey: (id) => id,
  load: (ids, { core }) => core.fleet.progress.findMany(ids),
  maxBatchSize: 10_000,
});

/** Fields of `Job`. */
export const progressFields: Pick<NonNullable<Resolvers['Job']>, 'progress' | 'checkpoints'> = {
  progress: async ({ _id, state }: JobDocument, _args, { loaders, core }) => {
    const progress = (await loaders.load(progressLoader, _id))?.progress;
    return progress ? core.fleet.progress.shown(progress, state) : null;
  },
  // The last worker of a job that is FINISHED removes them.
  checkpoints: async ({ _id, state }: JobDocument, _args, { loaders }) =>
    state === 'FINISHED' ? [] : ((await loaders.load(progressLoader, _id))?.checkpoints ?? []),
};

export const checkpointResolvers: Pick<Resolvers, 'JobCheckpoint'> = {
  JobCheckpoint: {
    sizeBytes: ({ files }) => files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  },
};
