/** Resolvers of shares: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { keyedPage } from '@rhizome/mongo';
import { connection, defineLoader, type Loaders } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import type { ExperimentDocument } from '../../experiments/experiment.document.js';
import { experimentEntity } from '../../experiments/graphql/resolvers.js';
import type { Resolvers } from '../../types.generated.js';
import type { ShareLeaf, ShareUsage } from '../shares.service.js';

const usageLoader = defineLoader<string, ShareUsage, Context>({
  name: 'ShareUsage',
  load: (paths, { core }) => core.shareUsage(paths),
});

/** Shares by path; null for a removed share. */
const shareByPath = defineLoader<string, ShareLeaf, Context>({
  name: 'ShareByPath',
  load: (paths, { core }) => core.shares.byPaths(paths),
});

/** Share of a charged entity. */
export const shareOf = (
  { share }: { readonly share: string },
  _args: object,
  { loaders }: Context,
): Promise<ShareLeaf | null> => loaders.load(shareByPath, share);

/** Policy of such a field: the use of a share is not visible to everyone who may read its jobs. */
export const shareOfPolicy: Policies[string] = {
  action: 'share:read',
  experiment: ({ parent }) => (parent as { readonly share: string }).share.split('/', 1)[0] ?? null,
};

async function usageOf(path: string, { loaders }: Context): Promise<ShareUsage> {
  return (await loaders.load(usageLoader, path)) ?? { usedCores: 0, usedMemoryMiB: 0, usedGpus: 0 };
}

async function owner(name: string, loaders: Loaders): Promise<ExperimentDocument> {
  const experiment = await loaders.load(experimentEntity.loader, name);
  if (!experiment)
    throw new DomainError('EXPERIMENT_NOT_FOUND', `Experiment "${name}" not found.`, {
      field: 'experiment',
      value: name,
    });
  return experiment;
}

export const shareResolvers: Pick<Resolvers, 'Share' | 'ShareConnection' | 'Query' | 'Mutation'> = {
  Query: {
    shares: async (_parent, { experiment, first, after }, { core, principal }) => {
      const visible = await core.shares.visibleTo(principal, experiment);
      // A share is created before its experiment: shares without an experiment are not shown.
      const missing = await core.experiments.missing(visible.map((share) => share.experiment));
      const items = visible.filter((share) => !missing.has(share.experiment));
      return keyedPage({ items, keyOf: ({ path }) => path, first: first ?? 50, after });
    },
  },
  Mutation: {
    setShares: (_parent, { input }, { core }) => core.shares.set(input),
  },
  ShareConnection: connection,
  Share: {
    id: ({ path }) => `share_${path}`,
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
