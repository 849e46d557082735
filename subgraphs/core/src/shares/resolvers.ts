/** Doors of shares: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { defineLoader, reference } from '@rhizome/subgraph';
import type { Context } from '../context.js';
import { experimentEntity } from '../experiments/resolvers.js';
import type { Resolvers } from '../types.generated.js';
import type { ShareLeaf, ShareUsage } from './shares.service.js';

const usageLoader = defineLoader<string, ShareUsage, Context>({
  name: 'ShareUsage',
  load: (paths, { core }) => core.shareUsage(paths),
});

async function usageOf(path: string, { loaders }: Context): Promise<ShareUsage> {
  return (await loaders.load(usageLoader, path)) ?? { usedCores: 0, usedMemoryMiB: 0 };
}

export const shareResolvers: Pick<Resolvers, 'Share' | 'Query' | 'Mutation'> = {
  Query: {
    shares: (_parent, { experiment }, { core, principal }) => core.shares.visibleTo(principal, experiment),
  },
  Mutation: {
    setShares: (_parent, { input }, { core }) => core.shares.set(input),
  },
  Share: {
    experiment: reference({ loader: experimentEntity.loader, key: ({ experiment }: ShareLeaf) => experiment }),
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
