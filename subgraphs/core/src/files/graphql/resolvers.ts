/** Resolvers of files of jobs: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { Resolvers } from '../../types.generated.js';
import type { OutputFile } from '../output-files.js';

/** Signs outputs; those of all jobs of an operation are signed together. */
const outputFilesLoader = defineLoader<JobDocument, readonly OutputFile[], Context>({
  name: 'OutputFiles',
  cacheKey: ({ _id }) => _id,
  load: (jobs, { core }) => core.files.outputs.of(jobs),
});

export const fileResolvers: Pick<Resolvers, 'Job' | 'Mutation'> = {
  Job: {
    outputFiles: async (job, _args, { loaders }) =>
      job.outputs.length === 0 ? [] : ((await loaders.load(outputFilesLoader, job)) ?? []),
  },
  Mutation: {
    signJobFiles: (_parent, { input }, { core, principal }) => core.files.signing.sign(principal, input),
  },
};

// The service checks who may act for the worker.
export const filePolicies: Policies = {
  'Mutation.signJobFiles': { action: 'job:report' },
};
