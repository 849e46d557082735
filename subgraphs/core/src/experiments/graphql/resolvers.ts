/** Resolvers of experiments: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { keyedPage } from '@rhizome/mongo';
import { connection, defineLoader, entity } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import type { ShareLeaf } from '../../shares/shares.service.js';
import type { Resolvers } from '../../types.generated.js';
import type { ExperimentDocument } from '../experiment.document.js';

/**
 * Experiments by name. The loader serves fields that refer to an experiment, such as that of a job: a caller
 * who may read the job may know the experiment's name.
 */
export const experimentEntity = entity<ExperimentDocument, string, Context>({
  type: 'Experiment',
  key: 'name',
  load: (names, { core }) => core.experiments.findMany(names),
});

/** Shares by experiment; the shares of all experiments of a list are read together. */
const sharesLoader = defineLoader<string, readonly ShareLeaf[], Context>({
  name: 'SharesOfExperiment',
  load: (names, { core }) => core.shares.ofExperiments(names),
});

export const experimentResolvers: Pick<
  Resolvers,
  'Experiment' | 'ExperimentConnection' | 'Query' | 'Mutation'
> = {
  Query: {
    experiment: (_parent, { name }, { core, principal }) => core.experiments.visible(name, principal),
    experiments: async (_parent, { first, after }, { core, principal }) => {
      const items = await core.experiments.visibleTo(principal);
      return keyedPage({ items, keyOf: ({ _id }) => _id, first: first ?? 50, after });
    },
  },
  Mutation: {
    registerExperiment: (_parent, { input }, { core, principal }) =>
      core.experiments.register(input, principal),
    updateExperiment: (_parent, { input }, { core }) => core.experiments.update(input),
  },
  ExperimentConnection: connection,
  Experiment: {
    __resolveReference: experimentEntity.resolveReference,
    id: ({ _id }) => `experiment_${_id}`,
    name: ({ _id }) => _id,
    continuity: ({ continuity }) => continuity ?? {},
    shares: async ({ _id }, _args, { loaders }) => (await loaders.load(sharesLoader, _id)) ?? [],
  },
};

const namedInInput = ({ args }: { readonly args: unknown }): string =>
  (args as { input: { name: string } }).input.name;

export const experimentPolicies: Policies = {
  'Query.experiment': { action: 'experiment:read' },
  'Query.experiments': { action: 'experiment:read' },
  'Mutation.registerExperiment': {
    action: 'experiment:register',
    experiment: namedInInput,
  },
  'Mutation.updateExperiment': { action: 'experiment:update', experiment: namedInInput },
  'Experiment.__resolveReference': {
    action: 'experiment:read',
    experiment: ({ parent }) => (parent as { name: string }).name,
  },
  'Experiment.shares': {
    action: 'share:read',
    experiment: ({ parent }) => (parent as ExperimentDocument)._id,
  },
};
