/** Doors of shares: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { defineLoader, type Loaders } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import type { ExperimentDocument } from '../../experiments/experiment.document.js';
import { experimentEntity } from '../../experiments/graphql/resolvers.js';
import type { Resolvers } from '../../types.generated.js';
import type { ShareUsage } from '../shares.service.js';

const usageLoader = defineLoader<string, ShareUsage, Context>({
  name: 'ShareUsage',
  load: (paths, { core }) => core.shareUsage(paths),
});

async function usageOf(path: string, { loaders }: Context): Promise<ShareUsage> {
  return (await loaders.load(usageLoader, path)) ?? { usedCores: 0, usedMemoryMiB: 0, usedGpus: 0 };
}

async function owner(name: string, loaders: Loaders): Promise<ExperimentDocument> {
  const experiment = await loaders.load(experimentEntity.loader, name);
  if (!experiment)
    throw new DomainError('EXPERIMENT_NOT_FOUND', `experiment: "${name}" is not registered`, {
      field: 'experiment',
      value: name,
    });
  return experiment;
}

export const shareResolvers: Pick<Resolvers, 'Share' | 'Query' | 'Mutation'> = {
  Query: {
    shares: async (_parent, { experiment }, { core, principal }) => {
      const visible = await core.shares.visibleTo(principal, experiment);
      // A share is made before its experiment: those whose experiment is not there yet are not shown.
      const missing = await core.experiments.missing(visible.map((share) => share.experiment));
      return visible.filter((share) => !missing.has(share.experiment));
    },
  },
  Mutation: {
    setShares: (_parent, { input }, { core }) => core.shares.set(input),
  },
  Share: {
    usedGpus: async ({ path }, _args, context) => (await usageOf(path, context)).usedGpus,
    experiment: ({ experiment }, _args, { loaders }) => owner(experiment, loaders),
    usedCores: async ({ path }, _args, context) => (await usageOf(path, context)).usedCores,
    usedMemoryMiB: async ({ path }, _args, context) => (await usageOf(path, context)).usedMemoryMiB,
    readyJobs: ({ path }, _args, { core }) => core.events.counts.ready(path),
  },
};

export const sharePolicies: Policies = {
  'Query.shares': { action: 'share:read' },
  'Mutation.setShares': {
    action: 'share:set',
    experiment: ({ args }) => (args as { input: { experiment: string } }).input.experiment,
  },
};
