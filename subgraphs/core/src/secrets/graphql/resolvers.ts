/** Resolvers of secrets: unpack, call, map. No field has a value of a secret. */
import type { Policies } from '@rhizome/authz';
import { keyedPage } from '@rhizome/mongo';
import { connection } from '@rhizome/subgraph';
import { experimentEntity } from '../../experiments/graphql/resolvers.js';
import type { Resolvers } from '../../types.generated.js';
import { newestOf } from '../secret-owner.js';

export const secretResolvers: Pick<
  Resolvers,
  'Secret' | 'SecretVersion' | 'SecretConnection' | 'Query' | 'Mutation'
> = {
  Query: {
    secret: (_parent, { id }, { core, principal }) => core.secrets.find(principal, id),
    secrets: async (_parent, { experiment, first, after }, { core, principal }) => {
      const items = await core.secrets.list(principal, experiment);
      return keyedPage({ items, keyOf: ({ name }) => name, first: first ?? 50, after });
    },
  },
  Mutation: {
    createSecret: (_parent, { input }, { core, principal }) => core.secrets.create(principal, input),
    rotateSecret: (_parent, { input }, { core, principal }) => core.secrets.rotate(principal, input),
    deleteSecret: async (_parent, { input: { id } }, { core, principal }) => ({
      isDeleted: await core.secrets.remove(principal, id),
      userErrors: [],
    }),
  },
  SecretConnection: connection,
  Secret: {
    id: ({ _id }) => _id,
    owner: ({ scope, holder }) => (scope === 'USER' ? { subject: holder } : null),
    experiment: ({ scope, holder }, _args, { loaders }) =>
      scope === 'EXPERIMENT' ? loaders.load(experimentEntity.loader, holder) : null,
    version: (secret) => newestOf(secret).number,
    expiresAt: (secret) => newestOf(secret).expiresAt ?? null,
    sizeBytes: ({ bytes }) => bytes,
    lastUsedAt: ({ lastUsedAt }) => lastUsedAt ?? null,
  },
  SecretVersion: {
    createdBy: ({ createdBy: subject }) => ({ subject }),
    expiresAt: ({ expiresAt }) => expiresAt ?? null,
  },
};

// The holder of a secret is known only after it is read; the service checks the rights then.
export const secretPolicies: Policies = {
  'Query.secret': { action: 'secret:set', perPrincipal: true },
  'Query.secrets': { action: 'secret:set', perPrincipal: true },
  'Mutation.createSecret': { action: 'secret:set' },
  'Mutation.rotateSecret': { action: 'secret:set' },
  'Mutation.deleteSecret': { action: 'secret:set' },
};
