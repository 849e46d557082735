/** Resolvers of downtimes: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { connection } from '@rhizome/subgraph';
import type { Resolvers } from '../../types.generated.js';
import { queueByName } from './resolvers.js';

type Types = 'Downtime' | 'DowntimeConnection' | 'Queue' | 'Query' | 'Mutation';

export const downtimeResolvers: Pick<Resolvers, Types> = {
  Query: {
    downtimes: (_parent, { filter, first, after }, { core, principal }) =>
      core.downtimes.page(filter, { first: first ?? 50, after }, principal),
  },
  Mutation: {
    declareDowntime: (_parent, { input }, { core, principal }) => core.downtimes.declare(input, principal),
    changeDowntime: (_parent, { input }, { core, principal }) => core.downtimes.change(input, principal),
    cancelDowntime: (_parent, { input }, { core, principal }) => core.downtimes.cancel(input, principal),
    importDowntimes: (_parent, { input }, { core, principal }) => core.downtimes.import(input, principal),
  },
  DowntimeConnection: connection,
  Downtime: {
    id: ({ _id }) => _id,
    queue: ({ queue }, _args, { loaders }) => (queue === null ? null : loaders.load(queueByName, queue)),
    site: ({ site }) => (site === null ? null : { name: site }),
    state: (downtime, _args, { core }) => core.downtimes.stateOf(downtime),
    declaredBy: ({ declaredBy: subject }) => ({ subject }),
    cancelledBy: ({ cancelledBy: subject }) => (subject === null ? null : { subject }),
  },
  Queue: {
    downtimes: (queue, _args, { core }) => core.downtimes.ofQueue(queue),
  },
};

export const downtimePolicies: Policies = {
  'Query.downtimes': { action: 'queue:read' },
  // The queues of a downtime are known only after it is read; the service checks their experiments then.
  'Mutation.declareDowntime': { action: 'queue:setState' },
  'Mutation.changeDowntime': { action: 'queue:setState' },
  'Mutation.cancelDowntime': { action: 'queue:setState' },
  'Mutation.importDowntimes': { action: 'queue:setState' },
};
