/** Resolvers of queues: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { keyedPage } from '@rhizome/mongo';
import { connection, defineLoader, entity } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import { experimentEntity } from '../../experiments/graphql/resolvers.js';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import type { Resolvers } from '../../types.generated.js';
import { usualLogIntervalMs } from '../log-interval.js';
import type { QueueDocument } from '../queue.document.js';

/** Queues by id. */
export const queueById = defineLoader<string, QueueDocument, Context>({
  name: 'QueueById',
  load: (ids, { core }) => core.queues.byIds(ids),
});

/** Queues by name. */
export const queueByName = defineLoader<string, QueueDocument, Context>({
  name: 'QueueByName',
  load: (names, { core }) => core.queues.byNames(names),
});

/** Queues by name as stored now; null if the principal may not see it. */
const freshQueueByName = defineLoader<string, QueueDocument, Context>({
  name: 'FreshQueueByName',
  load: async (names, { core, principal }) =>
    (await core.queues.freshByNames(names)).map((queue) =>
      queue && core.queues.isVisible(queue, principal) ? queue : null,
    ),
});

/** Reference to a queue: its id or its name. */
type QueueKey = { readonly id: string } | { readonly name: string };

/** Queues by either key; null if the principal may not see it. */
export const queueEntity = entity<QueueDocument, QueueKey, Context>({
  type: 'Queue',
  key: ({ id, name }) => (typeof id === 'string' ? { id } : { name: String(name) }),
  load: (keys, { core, loaders, principal }) =>
    Promise.all(
      keys.map(async (key) => {
        const queue =
          'id' in key ? await loaders.load(queueById, key.id) : await loaders.load(queueByName, key.name);
        return core.queues.visible(queue, principal);
      }),
    ),
});

export const queueResolvers: Pick<
  Resolvers,
  'Queue' | 'QueueConnection' | 'QueueExperimentLimits' | 'Site' | 'Query' | 'Mutation'
> = {
  Query: {
    queue: (_parent, { name }, { loaders }) => loaders.load(freshQueueByName, name),
    queues: (_parent, { filter, first, after }, { core, principal }) =>
      core.queues.page(filter, { first: first ?? 50, after }, principal),
  },
  Mutation: {
    createQueue: (_parent, { input }, { core, principal }) => core.queues.create(input, principal),
    updateQueue: (_parent, { input }, { core, principal }) => core.queues.update(input, principal),
    setQueueState: (_parent, { input }, { core, principal }) => core.queues.setState(input, principal),
  },
  QueueConnection: connection,
  Site: {
    __resolveReference: ({ name }) => ({ name: String(name) }),
    id: ({ name }) => `site_${name}`,
    queues: ({ name }, { first, after }, { core, principal }) =>
      keyedPage({
        items: core.queues.ofSite(name, principal),
        keyOf: (queue) => queue.name,
        first: first ?? 50,
        after,
      }),
  },
  QueueExperimentLimits: {
    experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
  },
  Queue: {
    __resolveReference: queueEntity.resolveReference,
    id: ({ _id }) => _id,
    site: ({ site: name }) => ({ name }),
    stateChangedBy: ({ stateChangedBy: subject }) => ({ subject }),
    isolation: ({ isolation }) => isolation ?? 'NONE',
    continuity: ({ continuity }) => continuity ?? {},
    limits: ({ limits: { gpuSharing = false, logIntervalMs = usualLogIntervalMs, ...limits } }) => ({
      ...limits,
      logIntervalMs,
      isGpuSharingEnabled: gpuSharing,
    }),
    experimentLimits: ({ experimentLimits = [] }) => experimentLimits,
    experiments: async ({ experiments }, _args, { loaders }) => {
      const found = await Promise.all(experiments.map((name) => loaders.load(experimentEntity.loader, name)));
      return found.filter((experiment) => experiment !== null);
    },
  },
};

type InputOf<T> = { readonly input: T };

export const queuePolicies: Policies = {
  'Query.queue': { action: 'queue:read' },
  'Query.queues': { action: 'queue:read' },
  'Mutation.createQueue': {
    action: 'queue:create',
    experiment: ({ args }) => {
      const { experiments } = (args as InputOf<{ experiments?: readonly string[] | null }>).input;
      return experiments && experiments.length > 0 ? experiments : '*';
    },
  },
  // The experiments of the queue are known only after it is read; the service checks them then.
  'Mutation.updateQueue': { action: 'queue:update' },
  'Mutation.setQueueState': { action: 'queue:setState' },
  'Site.__resolveReference': { action: 'queue:read' },
  'Queue.__resolveReference': { action: 'queue:read' },
};
