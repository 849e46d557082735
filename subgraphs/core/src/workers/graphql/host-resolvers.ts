/** Resolvers of hosts: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { connection } from '@rhizome/subgraph';
import { queueByName } from '../../queues/graphql/resolvers.js';
import type { Resolvers } from '../../types.generated.js';

type Types = 'Host' | 'HostPin' | 'HostEvidence' | 'HostConnection' | 'Worker' | 'Query' | 'Mutation';

export const hostResolvers: Pick<Resolvers, Types> = {
  Query: {
    hosts: (_parent, { filter, first, after }, { core, principal }) =>
      core.hosts.page(filter, { first: first ?? 50, after }, principal),
  },
  Mutation: {
    excludeHost: (_parent, { input }, { core, principal }) => core.hosts.exclude(input, principal),
    pinHost: (_parent, { input }, { core, principal }) => core.hosts.pin(input, principal),
    clearHost: (_parent, { input }, { core, principal }) => core.hosts.clear(input, principal),
  },
  HostConnection: connection,
  Host: {
    id: ({ _id }) => _id,
    name: ({ host }) => host,
    queue: async ({ queue: name }, _args, { loaders }) => {
      const queue = await loaders.load(queueByName, name);
      if (queue) return queue;
      throw new DomainError('QUEUE_NOT_FOUND', `Queue "${name}" not found, or you may not see it.`, {
        value: name,
      });
    },
    state: (host, _args, { core }) => core.hosts.viewOf(host).state,
    since: (host, _args, { core }) => core.hosts.viewOf(host).since,
    until: (host, _args, { core }) => core.hosts.viewOf(host).until,
    reason: (host, _args, { core }) => core.hosts.viewOf(host).reason,
    decidedBy: (host, _args, { core }) => ({ subject: core.hosts.viewOf(host).by }),
    pin: (host, _args, { core }) => core.hosts.pinOf(host),
    exclusionCount: ({ exclusions }) => exclusions,
  },
  HostPin: {
    setBy: ({ by: subject }) => ({ subject }),
    setAt: ({ at }) => at,
  },
  HostEvidence: {
    failureCount: ({ failures }) => failures,
    jobIds: ({ jobs }) => jobs,
  },
  Worker: {
    hostHealth: ({ queue, host }, _args, { core }) => core.hosts.find({ queue, host }),
  },
};

export const hostPolicies: Policies = {
  'Query.hosts': { action: 'queue:read' },
  // The experiments of the queue are known only after it is read; the service checks them then.
  'Mutation.excludeHost': { action: 'queue:setState' },
  'Mutation.pinHost': { action: 'queue:setState' },
  'Mutation.clearHost': { action: 'queue:setState' },
};
