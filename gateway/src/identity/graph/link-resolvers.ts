/** Resolvers of linked identities: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import type { Identity } from '@rhizome/identity';
import { principalOf } from '../../references.js';
import type { Resolvers } from '../../types.generated.js';

/** Resolvers of {@link linkTypes}. */
export type LinkResolvers = Pick<Resolvers, 'LinkedIdentity'>;

/** Resolvers of types. */
export function linkTypes(identity: () => Identity): LinkResolvers {
  return {
    LinkedIdentity: {
      principal: ({ _id }) => principalOf(_id),
      principalId: ({ _id }) => _id,
      accounts: async (linked, _args, { principal }) => [
        ...(await identity().links.accountsOf(linked, principal)),
      ],
      linkedAt: ({ linkedAt, updatedAt }) => linkedAt ?? updatedAt,
    },
  };
}

/** Resolvers of queries. */
export function linkQueries(
  identity: () => Identity,
): Pick<Required<Resolvers>['Query'], 'linkedIdentities'> {
  return {
    linkedIdentities: async (_parent, _args, { principal }) => [
      ...(await identity().links.ofCaller(principal)),
    ],
  };
}

/** Resolvers of mutations. */
export function linkMutations(
  identity: () => Identity,
): Pick<Required<Resolvers>['Mutation'], 'linkIdentity' | 'unlinkIdentity'> {
  return {
    linkIdentity: (_parent, { input }, { principal }) => identity().links.link(input.token, principal),
    unlinkIdentity: (_parent, { input }, { principal }) =>
      identity().links.unlink(input.principalId, principal),
  };
}

/** Policies of the fields. */
export const linkPolicies: Policies = {
  'Query.linkedIdentities': { open: 'everybody may read the own identities', perPrincipal: true },
  'Mutation.linkIdentity': {
    open: 'the tokens of both identities are the evidence; the service checks them',
  },
  'Mutation.unlinkIdentity': {
    open: 'everybody may unlink the own identities; the service checks the permission for others',
  },
};
