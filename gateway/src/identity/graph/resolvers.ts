/** Resolvers of issuers, principals and explanations: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { DomainError, InputErrors } from '@rhizome/errors';
import type { Identity, IssuerLogin, IssuerSettingsRecord, QueueOwners } from '@rhizome/identity';
import type { Resolvers, SetTokenIssuerInput, SetTokenIssuerLoginInput } from '../../types.generated.js';
import {
  robotMutations,
  robotPolicies,
  robotQueries,
  type RobotResolvers,
  robotTypes,
} from './robot-resolvers.js';
import { linkMutations, linkPolicies, linkQueries, type LinkResolvers, linkTypes } from './link-resolvers.js';
import { endOf, experimentOfInput } from './role-fields.js';
import { rolePolicies, roleMutations, roleQueries, type RoleResolvers, roleTypes } from './role-resolvers.js';
import { identityTypes, storedRevocationKind, type IdentityTypeResolvers } from './type-resolvers.js';

/** Options of {@link identityResolvers}. */
export interface IdentityGraphOptions {
  /** Undefined in a gateway without a database of identities. */
  readonly identity?: (() => Identity | undefined) | undefined;
  /** Asks core about queues; undefined where there is none. */
  readonly queueOwners?: QueueOwners | undefined;
}

/** Without core there is no queue. */
const withoutCore: QueueOwners = { experimentsOf: async () => ['*'], queuesOf: async () => [] };

type IdentityResolvers = Pick<Resolvers, 'Query' | 'Mutation'> &
  IdentityTypeResolvers &
  RoleResolvers &
  RobotResolvers &
  LinkResolvers;

/** Resolvers on the services of identity. */
export function identityResolvers(parts: IdentityGraphOptions): IdentityResolvers {
  const identity = (): Identity => open(parts);
  const { queueOwners = withoutCore } = parts;
  return {
    Query: {
      ...queries(identity, queueOwners),
      ...roleQueries(identity),
      ...robotQueries(identity),
      ...linkQueries(identity),
    },
    Mutation: {
      ...mutations(identity),
      ...tokenMutations(identity),
      ...enrolmentMutations(identity, queueOwners),
      ...roleMutations(identity),
      ...robotMutations(identity),
      ...linkMutations(identity),
    },
    ...identityTypes(identity),
    ...roleTypes(identity),
    ...robotTypes(identity),
    ...linkTypes(identity),
  };
}

function queries(identity: () => Identity, owners: QueueOwners): NonNullable<IdentityResolvers['Query']> {
  return {
    tokenIssuers: (_parent, _args, { principal }) => identity().issuers.list(principal),
    tokenIssuerVersions: (_parent, { name, first, after }, { principal }) =>
      identity().issuers.history(name, first ?? 20, after, principal),
    knownPrincipals: (_parent, { first, after }, { principal }) =>
      identity().principals.page(first ?? 20, after, principal),
    knownPrincipal: (_parent, { id }, { principal }) => identity().principals.principal(id, principal),
    workerEnrolments: (_parent, { queue, state, first, after }, { principal }) => {
      const filter = { queue: queue ?? undefined, state: state ?? undefined };
      return identity().enrolmentDecisions.page(filter, { first: first ?? 20, after }, principal, owners);
    },
    revocations: () => identity().revocations.all,
    explainToken: (_parent, { token }) => identity().outside.explain(token),
  };
}

function mutations(identity: () => Identity): NonNullable<IdentityResolvers['Mutation']> {
  return {
    setTokenIssuer: async (_parent, { input }, { principal }) => {
      const { issuer, userErrors } = await identity().issuers.set(input.name, settingsOf(input), principal);
      return { tokenIssuer: issuer, userErrors };
    },
    removeTokenIssuer: async (_parent, { input }, { principal }) => {
      const { issuer, userErrors } = await identity().issuers.remove(input.name, principal);
      return { tokenIssuer: issuer, userErrors };
    },
    setMembership: (_parent, { input }, { principal }) =>
      identity().principals.setMembership({ ...input, ...endOf(input) }, principal),
  };
}

function tokenMutations(identity: () => Identity): NonNullable<IdentityResolvers['Mutation']> {
  return {
    revokeTokens: async (_parent, { input }, { principal }) => {
      const { kind, value, reason } = input;
      const errors = new InputErrors();
      errors.text(['value'], value, 1, 2000);
      if (reason != null) errors.text(['reason'], reason, 1, 1000);
      if (!errors.isEmpty) return { revocation: null, userErrors: errors.all };
      const request = { kind: storedRevocationKind(kind), value, reason: reason ?? null };
      return { revocation: await identity().revocations.revokeFor(request, principal), userErrors: [] };
    },
    suspendPrincipal: async (_parent, { input }, { principal }) => {
      const found = await identity().tokens.suspend(input.id, input.isSuspended ?? true, principal);
      if (found) return { principal: found, userErrors: [] };
      const message = `Principal "${input.id}" not found.`;
      return { principal: null, userErrors: [{ code: 'PRINCIPAL_NOT_FOUND', path: ['id'], message }] };
    },
    rotateSigningKey: async (_parent, { input }, { principal }) => {
      const { tokens, keys } = identity();
      const { removedKeyId } = input;
      const isDone = await tokens.rotateKey(removedKeyId ?? null, principal);
      const message = `Key "${removedKeyId ?? ''}" not found.`;
      const error = { code: 'KEY_NOT_FOUND', path: ['removedKeyId'], message } as const;
      return { keyIds: keys.jwks().keys.map(({ kid = '' }) => kid), userErrors: isDone ? [] : [error] };
    },
  };
}

function enrolmentMutations(
  identity: () => Identity,
  owners: QueueOwners,
): NonNullable<IdentityResolvers['Mutation']> {
  return {
    inviteWorkers: async (_parent, { input }, { principal }) => {
      const { queue, experiments, uses = 0, ttlSeconds = 0, netblock } = input;
      const request = { queue, experiments, uses, ttlSeconds, netblock: netblock ?? null };
      const { code, invitation, userErrors } = await identity().invitations.invite(
        request,
        principal,
        owners,
      );
      return { code, expiresAt: invitation?.expiresAt ?? null, userErrors };
    },
    decideEnrolment: (_parent, { input }, { principal }) =>
      identity().enrolmentDecisions.decide(input, principal, owners),
    endEnrolment: (_parent, { input }, { principal }) =>
      identity().enrolmentDecisions.end(input.id, principal, owners),
  };
}

/** The generated types make inputs with a default optional, although execution always fills them in. */
function settingsOf(input: SetTokenIssuerInput): IssuerSettingsRecord {
  const { issuer, profile, jwksUri, audiences, experiments } = input;
  return {
    issuer,
    profile,
    jwksUri: jwksUri ?? null,
    audiences,
    experiments,
    kinds: input.kinds ?? [],
    roles: input.roles ?? [],
    maxLifetimeSeconds: input.maxLifetimeSeconds ?? 0,
    isEnabled: input.isEnabled ?? false,
    login: input.login ? loginOf(input.login) : null,
    rules: (input.rules ?? []).map((rule) => ({
      name: rule.name,
      grants: rule.grants ?? [],
      queues: rule.queues ?? [],
      when: {
        everyone: rule.isForEveryone ?? false,
        subjects: rule.subjects ?? [],
        groups: rule.groups ?? [],
        scopes: rule.scopes ?? [],
        entitlements: rule.entitlements ?? [],
        claims: rule.claims ?? [],
      },
    })),
  };
}

function loginOf({ clientId, scopes, hasOpaqueAccessTokens }: SetTokenIssuerLoginInput): IssuerLogin {
  return { clientId, scopes: scopes ?? [], hasOpaqueAccessTokens: hasOpaqueAccessTokens ?? false };
}

function open({ identity }: IdentityGraphOptions): Identity {
  const found = identity?.();
  if (found) return found;
  throw new DomainError(
    'SERVICE_UNAVAILABLE',
    'The gateway has no database of identities; start it with one',
  );
}

/** Policies of the fields; the services also check the experiment. */
export const identityPolicies: Policies = {
  ...rolePolicies,
  ...robotPolicies,
  ...linkPolicies,
  'Query.tokenIssuers': { action: 'identity:read' },
  'Query.tokenIssuerVersions': { action: 'identity:read' },
  'Query.knownPrincipals': { action: 'identity:read' },
  'Query.knownPrincipal': { action: 'identity:read' },
  'Query.explainToken': {
    open: 'the token itself is the evidence; for one that is not genuine no rule is shown',
  },
  'Mutation.setTokenIssuer': { action: 'issuer:set' },
  'Mutation.removeTokenIssuer': { action: 'issuer:set' },
  'Query.workerEnrolments': { action: 'worker:enrol' },
  'Mutation.inviteWorkers': { action: 'worker:enrol' },
  'Mutation.decideEnrolment': { action: 'worker:enrol' },
  'Mutation.endEnrolment': { action: 'worker:enrol' },
  'Query.revocations': { action: 'token:revoke', experiment: () => '*' },
  'Mutation.revokeTokens': {
    open: 'everybody may revoke the own tokens; the service checks the permission for others',
  },
  'Mutation.suspendPrincipal': { action: 'membership:set', experiment: () => '*' },
  'Mutation.rotateSigningKey': { action: 'token:revoke', experiment: () => '*' },
  'Mutation.setMembership': { action: 'membership:set', experiment: experimentOfInput },
};
