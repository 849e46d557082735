/** Resolvers of the lease clock, and of the reports of gateways. */
import type { Policies } from '@rhizome/authz';
import type { Resolvers } from '../../types.generated.js';

/** Resolvers of `leaseClock` and `reportGateway`. */
export const leaseClockResolvers: Pick<Resolvers, 'Query' | 'Mutation' | 'GatewayStatus'> = {
  Query: {
    leaseClock: (_parent, _args, { core }) => core.fleet.leaseClock.view(),
  },
  Mutation: {
    reportGateway: async (_parent, { input }, { core, principal }) => ({
      reportedAt: await core.fleet.leaseClock.report(principal, input.isAcceptingPilots),
      userErrors: [],
    }),
  },
  GatewayStatus: {
    id: ({ _id }) => _id,
    reportedAt: ({ updatedAt }) => updatedAt,
  },
};

/** Access rules of the lease clock. */
export const leaseClockPolicies: Policies = {
  'Query.leaseClock': { action: 'service:read' },
  'Mutation.reportGateway': {
    own: {
      rule: 'only a gateway reports its own state',
      holds: ({ principal }) => principal.gateway !== undefined,
    },
  },
};
