/** Resolvers of mandates: unpack, call, map. */
import { holds } from '@rhizome/agents';
import type { Policies } from '@rhizome/authz';
import { connection, defineLoader } from '@rhizome/subgraph';
import { experimentOrNull, principalOf, principalOrNull } from '../../references.js';
import type { Resolvers } from '../../types.generated.js';
import { peopleOnly } from '../proposer.js';
import { openProposals, type ProposalGraphOptions } from './open-proposals.js';

type MandateResolvers = Pick<Resolvers, 'Query' | 'Mutation' | 'Mandate' | 'MandateConnection'>;

/** Resolvers on the mandates of the gateway. */
export function mandateResolvers(parts: ProposalGraphOptions): MandateResolvers {
  const used = defineLoader<string, number>({
    name: 'use of mandates',
    load: async (ids) => {
      const found = await openProposals(parts).mandates.usedToday(ids);
      return ids.map((id) => found.get(id) ?? 0);
    },
  });
  return {
    Query: {
      mandates: (_parent, { filter, first, after }, { principal }) =>
        openProposals(parts).mandates.page(filter ?? {}, principal, { first: first ?? 20, after }),
    },
    Mutation: {
      grantMandate: (_parent, { input }, { principal }) =>
        openProposals(parts).mandateGrants.grant(input, principal),
      revokeMandate: (_parent, { input }, { principal }) =>
        openProposals(parts).mandateGrants.revoke(input.id, principal),
    },
    Mandate: {
      id: ({ _id }) => _id,
      agent: ({ agent }) => principalOf(agent),
      grantor: ({ grantor }) => principalOf(grantor),
      experiment: ({ experiment }) => experimentOrNull(experiment),
      experimentName: ({ experiment }) => experiment,
      input: ({ fixed }) => JSON.parse(fixed) as unknown,
      free: ({ free }) => [...free],
      usedToday: async ({ _id }, _args, { loaders }) => (await loaders.load(used, _id)) ?? 0,
      revokedBy: ({ revokedBy }) => principalOrNull(revokedBy),
      isActive: (mandate) => holds(mandate, openProposals(parts).now()),
    },
    MandateConnection: connection,
  };
}

/** Policies of the fields; the services narrow them to what the caller may see and grant. */
export const mandatePolicies: Policies = {
  'Query.mandates': {
    open: 'everybody may read the own mandates; others need proposal:read',
    perPrincipal: true,
  },
  'Mutation.grantMandate': { own: peopleOnly },
  'Mutation.revokeMandate': { own: peopleOnly },
};
