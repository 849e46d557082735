/** Resolvers of the caller and its permissions. */
import { createPrincipal, permissionsOf, type Policies } from '@rhizome/authz';
import { reference } from '@rhizome/subgraph';
import { experimentEntity } from '../../experiments/graphql/resolvers.js';
import type { Resolvers } from '../../types.generated.js';
import type { ViewerElevationMapper, ViewerGrantMapper } from './schema.mappers.js';

export const viewerResolvers: Pick<
  Resolvers,
  'Principal' | 'Viewer' | 'ViewerElevation' | 'ViewerGrant' | 'Query'
> = {
  Query: {
    viewer: (_parent, _args, { principal }) => principal,
  },
  Principal: {
    __resolveReference: ({ subject }) => ({ subject: String(subject) }),
    id: ({ subject }) => `principal_${subject}`,
  },
  Viewer: {
    actsFor: ({ actsFor }) => (actsFor === undefined ? null : { subject: actsFor }),
    grants: (principal) => principal.grants.map((grant) => ({ grant, principal })),
    elevation: ({ elevation }) => elevation ?? null,
    linkedIdentities: ({ linked = [] }) => linked.map((subject) => ({ subject })),
  },
  ViewerElevation: {
    experiment: reference({
      loader: experimentEntity.loader,
      key: ({ experiment }: ViewerElevationMapper) => (experiment === '*' ? null : experiment),
    }),
    experimentName: ({ experiment }) => experiment,
    roles: ({ roles }) => roles,
    expiresAt: ({ until }) => until,
  },
  ViewerGrant: {
    experiment: reference({
      loader: experimentEntity.loader,
      key: ({ grant }: ViewerGrantMapper) => (grant.experiment === '*' ? null : grant.experiment),
    }),
    experimentName: ({ grant }) => grant.experiment,
    roles: ({ grant }) => grant.roles,
    permissions: permissionsOfGrant,
  },
};

/** Permissions of this grant alone. */
function permissionsOfGrant({ grant, principal }: ViewerGrantMapper): string[] {
  const { kind, subject, expiresAt, boundedBy, actions } = principal;
  const alone = createPrincipal({ kind, subject, expiresAt, boundedBy, actions, grants: [grant] });
  return [...permissionsOf(alone).keys()].sort();
}

export const viewerPolicies: Policies = {
  'Query.viewer': { open: 'a caller may read its own token', perPrincipal: true },
  'Principal.__resolveReference': { open: 'gives back the subject that the caller already has' },
};
