/** The gateway as a subgraph of itself, executed in process by each gateway. */
import { createPrincipal, never, type Principal } from '@rhizome/authz';
import type { Logger } from '@rhizome/log';
import { Kind } from 'graphql';
import { buildSubgraph, createInProcess, type SubgraphSchema } from '@rhizome/subgraph';
import { createInProcessTransport, type Transport } from '@rhizome/federation';
import { typeDefs } from '../../typeDefs.generated.js';
import type { OwnSubgraph } from '../own-member.js';
import { ownAddress } from './own-address.js';
import {
  budgetPolicies,
  budgetResolvers,
  mandatePolicies,
  mandateResolvers,
  type ProposalGraphOptions,
  proposalPolicies,
  proposalResolvers,
} from '../../agents/index.js';
import { auditPolicies, type AuditGraphOptions, auditResolvers } from '../../audit/index.js';
import { identityPolicies, identityResolvers, type IdentityGraphOptions } from '../../identity/index.js';
import { graphPolicies, graphResolvers, type GraphOptions } from './resolvers.js';

/** The schema and its resolvers. */
export function buildOwnSubgraph(
  parts: GraphOptions & IdentityGraphOptions & AuditGraphOptions & ProposalGraphOptions,
): SubgraphSchema {
  return buildSubgraph({
    name: ownAddress.name,
    typeDefs,
    resolvers: [
      graphResolvers(parts),
      identityResolvers(parts),
      auditResolvers(parts),
      proposalResolvers(parts),
      budgetResolvers(parts),
      mandateResolvers(parts),
    ],
    policies: {
      ...{ ...graphPolicies, ...identityPolicies, ...auditPolicies },
      ...{ ...proposalPolicies, ...budgetPolicies, ...mandatePolicies },
    },
  });
}

/** Names of the gateway's own mutations. */
const ownMutations: ReadonlySet<string> = new Set(
  typeDefs.definitions.flatMap((node) =>
    node.kind === Kind.OBJECT_TYPE_EXTENSION || node.kind === Kind.OBJECT_TYPE_DEFINITION
      ? node.name.value === 'Mutation'
        ? (node.fields ?? []).map(({ name }) => name.value)
        : []
      : [],
  ),
);

/** True for a mutation of the gateway itself. */
export const isOwnMutation = (mutation: string): boolean => ownMutations.has(mutation);

/** The gateway as a member of a graph. */
export function ownMemberOf({ sdl }: SubgraphSchema): OwnSubgraph {
  return { ...ownAddress, sdl };
}

/** Principal in a gateway without authentication, which only this machine can reach. */
const anybody: Principal = createPrincipal({
  kind: 'HUMAN',
  subject: 'anybody',
  grants: [{ experiment: '*', roles: ['ADMIN'] }],
  expiresAt: never,
});

/** Transport from the engine to the gateway's own fields. */
export function ownTransport(subgraph: SubgraphSchema, log: Logger): Transport {
  const transport = createInProcessTransport(createInProcess({ subgraph, log }));
  return {
    ...transport,
    execute: (request) => transport.execute({ ...request, principal: request.principal ?? anybody }),
    subscribe: (request) => transport.subscribe({ ...request, principal: request.principal ?? anybody }),
  };
}
