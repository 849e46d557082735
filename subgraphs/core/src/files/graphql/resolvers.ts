/** Resolvers of files of jobs: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import type { Resolvers } from '../../types.generated.js';
import type { OutputFile } from '../output-files.js';
import type { JobWithOutputs } from '../signing-plan.js';

/** Outputs to sign: of the job itself, or of a failed attempt. */
interface OutputsToSign {
  readonly job: JobWithOutputs;
  readonly attempt: number | undefined;
}

/** Signs outputs; those of all jobs of an operation are signed together. */
const outputFilesLoader = defineLoader<OutputsToSign, readonly OutputFile[], Context>({
  name: 'OutputFiles',
  cacheKey: ({ job: { _id }, attempt = '' }) => `${_id}/${attempt}`,
  load: (wanted, { core }) => core.files.outputs.of(wanted.map(({ job }) => job)),
});

export const fileResolvers: Pick<Resolvers, 'Job' | 'Mutation'> = {
  Job: {
    outputFiles: async (parent, { attempt }, { core, loaders }) => {
      const job = attempt == null ? parent : core.files.outputs.keptBy(parent, attempt);
      if (job.outputs.length === 0) return [];
      return (await loaders.load(outputFilesLoader, { job, attempt: attempt ?? undefined })) ?? [];
    },
  },
  Mutation: {
    signJobFiles: (_parent, { input }, { core, principal }) => core.files.signing.sign(principal, input),
  },
};

// The service checks who may act for the worker.
export const filePolicies: Policies = {
  'Mutation.signJobFiles': { action: 'job:report' },
};
