/** Resolvers of groups and elevations: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import type { Identity } from '@rhizome/identity';
import { connection } from '@rhizome/subgraph';
import { experimentOrNull, principalOf, principalOrNull } from '../../references.js';
import type { Resolvers } from '../../types.generated.js';
import { endOf, experimentOfInput, grantable } from './role-fields.js';

/** Resolvers of {@link roleTypes}. */
export type RoleResolvers = Pick<
  Resolvers,
  'Group' | 'GroupConnection' | 'GroupMember' | 'GroupMemberConnection' | 'Elevation' | 'ElevationConnection'
>;

/** Resolvers of types. */
export function roleTypes(identity: () => Identity): RoleResolvers {
  return {
    GroupConnection: connection,
    Group: {
      id: ({ _id }) => _id,
      experiment: ({ experiment }) => experimentOrNull(experiment),
      experimentName: ({ experiment }) => experiment,
      roles: ({ roles }) => grantable(roles),
      updatedBy: ({ updatedBy }) => principalOf(updatedBy),
      members: ({ _id }, { first, after }) => identity().groups.members(_id, first ?? 20, after),
    },
    GroupMemberConnection: connection,
    GroupMember: {
      principal: ({ principalId }) => principalOf(principalId),
      updatedBy: ({ updatedBy }) => principalOf(updatedBy),
    },
    ElevationConnection: connection,
    Elevation: {
      id: ({ _id }) => _id,
      principal: ({ principalId }) => principalOf(principalId),
      experiment: ({ experiment }) => experimentOrNull(experiment),
      experimentName: ({ experiment }) => experiment,
      roles: ({ roles }) => grantable(roles),
      startedAt: ({ createdAt }) => createdAt,
      endedBy: ({ endedBy }) => principalOrNull(endedBy),
    },
  };
}

/** Resolvers of queries. */
export function roleQueries(
  identity: () => Identity,
): Pick<Required<Resolvers>['Query'], 'groups' | 'elevations'> {
  return {
    groups: (_parent, { first, after }, { principal }) =>
      identity().groups.page(first ?? 20, after, principal),
    elevations: (_parent, { first, after }, { principal }) =>
      identity().elevations.page(first ?? 20, after, principal),
  };
}

type RoleMutations = 'setGroup' | 'setGroupMember' | 'startElevation' | 'endElevation';

/** Resolvers of mutations. */
export function roleMutations(
  identity: () => Identity,
): Pick<Required<Resolvers>['Mutation'], RoleMutations> {
  return {
    setGroup: (_parent, { input }, { principal }) =>
      identity().groups.setGroup({ ...input, ...endOf(input) }, principal),
    setGroupMember: (_parent, { input }, { principal }) => {
      const { isMember = true } = input;
      return identity().groups.setMember({ ...input, isMember, ...endOf(input) }, principal);
    },
    startElevation: (_parent, { input }, { principal }) => {
      const { minutes = 60, ...rest } = input;
      return identity().elevations.start({ ...rest, minutes }, principal);
    },
    endElevation: (_parent, { input }, { principal }) => identity().elevations.end(input.id, principal),
  };
}

/** Policies of the fields; the services also check the experiment. */
export const rolePolicies: Policies = {
  'Query.groups': { action: 'identity:read' },
  'Query.elevations': {
    open: 'everybody may read the own elevations; the service narrows the others',
    perPrincipal: true,
  },
  'Mutation.setGroup': { action: 'membership:set', experiment: experimentOfInput },
  'Mutation.setGroupMember': { action: 'membership:set' },
  'Mutation.startElevation': { open: 'memberships say which roles a person may take' },
  'Mutation.endElevation': {
    open: 'everybody may end the own elevations; the service checks the permission for others',
  },
};
