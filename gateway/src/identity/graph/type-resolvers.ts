/** Resolvers of the fields of issuers, principals, tokens and enrolments. */
import type { Identity, IssuerDocument, IssuerLogin, RevocationDocument } from '@rhizome/identity';
import { connection } from '@rhizome/subgraph';
import {
  experimentOrNull,
  experimentsNamed,
  principalOf,
  principalOrNull,
  queuesNamed,
  workerOrNull,
} from '../../references.js';
import type { GrantableRole, Resolvers, RevocationKind } from '../../types.generated.js';
import { grantable } from './role-fields.js';

/** Resolvers of {@link identityTypes}. */
export type IdentityTypeResolvers = Pick<
  Resolvers,
  | 'TokenIssuer'
  | 'TokenIssuerVersion'
  | 'TokenIssuerVersionConnection'
  | 'MappingRule'
  | 'RoleGrant'
  | 'KnownPrincipal'
  | 'KnownPrincipalConnection'
  | 'Membership'
  | 'Revocation'
  | 'WorkerEnrolment'
  | 'WorkerEnrolmentConnection'
  | 'TokenExplanation'
  | 'TokenCheck'
  | 'RuleResult'
  | 'GrantResult'
>;

/** Resolvers of types; those of root fields are in resolvers.ts. */
export function identityTypes(identity: () => Identity): IdentityTypeResolvers {
  return {
    ...issuerTypes,
    ...explanationTypes,
    TokenIssuerVersion: {
      ...issuerTypes.TokenIssuerVersion,
      settings: ({ settings }, _args, { principal }) =>
        settings && identity().issuers.visibleSettings(settings, principal),
    },
    KnownPrincipalConnection: connection,
    KnownPrincipal: {
      id: ({ _id }) => _id,
      actsFor: ({ actsFor }) => principalOrNull(actsFor),
      identities: ({ _id }, _args, { principal }) => identity().principals.identitiesOf(_id, principal),
      memberships: ({ _id }, _args, { principal }) =>
        identity().principals.visibleMembershipsOf(_id, principal),
      groups: async ({ _id }, _args, { principal }) => [
        ...(await identity().groups.membershipsOf(_id, principal)),
      ],
      linkedIdentities: async (known, _args, { principal }) => [
        ...(await identity().links.othersOf(known, principal)),
      ],
    },
    Membership: {
      principal: ({ principalId }) => principalOf(principalId),
      experiment: ({ experiment }) => experimentOrNull(experiment),
      experimentName: ({ experiment }) => experiment,
      roles: ({ roles }) => grantable(roles),
      elevatableRoles: ({ elevatableRoles = [] }) => grantable(elevatableRoles),
      updatedBy: ({ updatedBy }) => principalOf(updatedBy),
    },
    Revocation: {
      kind: ({ kind }) => (kind === 'FAMILY' ? 'LOGIN' : kind),
      revokedAt: ({ notBefore }) => notBefore,
      revokedBy: ({ revokedBy }) => principalOf(revokedBy),
    },
    WorkerEnrolmentConnection: connection,
    WorkerEnrolment: {
      id: ({ _id }) => _id,
      queue: ({ queue: name }) => ({ name }),
      queueName: ({ queue }) => queue,
      experiments: ({ experiments }) => experimentsNamed(experiments),
      experimentNames: ({ experiments }) => experiments,
      method: ({ way }) => way,
      worker: ({ workerId }) => workerOrNull(workerId),
      decidedBy: ({ decidedBy }) => principalOrNull(decidedBy),
      requestedAt: ({ createdAt }) => createdAt,
    },
  };
}

/** A kind of revocations as it is stored: a login is a family of tokens there. */
export function storedRevocationKind(kind: RevocationKind): RevocationDocument['kind'] {
  return kind === 'LOGIN' ? 'FAMILY' : kind;
}

type IssuerTypes = 'TokenIssuer' | 'TokenIssuerVersion' | 'TokenIssuerVersionConnection' | 'MappingRule';

const issuerTypes: Pick<IdentityTypeResolvers, IssuerTypes | 'RoleGrant'> = {
  TokenIssuer: {
    login: ({ login }) => (login as IssuerLogin | null | undefined) ?? null,
    name: ({ _id }) => _id,
    experiments: ({ experiments }) => experimentsNamed(experiments),
    experimentNames: ({ experiments }) => experiments,
    kinds: ({ kinds }) => kinds.filter((kind) => kind === 'HUMAN' || kind === 'SERVICE'),
    roles: ({ roles }) => grantable(roles),
    updatedBy: changedByPrincipal,
    file: changedByFile,
  },
  TokenIssuerVersion: {
    updatedAt: ({ createdAt }) => createdAt,
    updatedBy: changedByPrincipal,
    file: changedByFile,
  },
  TokenIssuerVersionConnection: connection,
  MappingRule: {
    isForEveryone: ({ when }) => when.everyone,
    subjects: ({ when }) => when.subjects,
    groups: ({ when }) => when.groups,
    scopes: ({ when }) => when.scopes,
    entitlements: ({ when }) => when.entitlements,
    claims: ({ when }) => when.claims,
    queues: ({ queues }) => queuesNamed(queues),
    queueNames: ({ queues }) => queues,
  },
  RoleGrant: {
    experiment: ({ experiment }) => experimentOrNull(experiment),
    experimentName: ({ experiment }) => experiment,
    roles: ({ roles }) => grantable(roles),
  },
};

type ExplanationTypes = 'TokenExplanation' | 'TokenCheck' | 'RuleResult' | 'GrantResult';

const explanationTypes: Pick<IdentityTypeResolvers, ExplanationTypes> = {
  TokenExplanation: {
    subject: ({ assessment }) => assessment?.subject ?? null,
    principal: ({ principalId }) => principalOrNull(principalId),
    checks: ({ assessment }) => assessment?.checks ?? [],
    rules: ({ assessment }) => assessment?.rules ?? [],
    queues: ({ assessment }) => queuesNamed(assessment?.queues ?? []),
    queueNames: ({ assessment }) => assessment?.queues ?? [],
  },
  TokenCheck: { hasPassed: ({ passed }) => passed },
  RuleResult: {
    hasMatched: ({ applies }) => applies,
    grants: ({ grants }) => grants.filter(({ role }) => role !== 'PILOT'),
  },
  GrantResult: {
    experiment: ({ experiment }) => experimentOrNull(experiment),
    experimentName: ({ experiment }) => experiment,
    role: ({ role }) => role as GrantableRole,
  },
};

type Change = Pick<IssuerDocument, 'source' | 'updatedBy'>;

function changedByPrincipal({ source, updatedBy }: Change): { readonly subject: string } | null {
  return source === 'FILE' ? null : principalOf(updatedBy);
}

function changedByFile({ source, updatedBy }: Change): string | null {
  return source === 'FILE' ? updatedBy.replace(/^file:/, '') : null;
}
