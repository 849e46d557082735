/** Resolvers of storages: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { keyedPage } from '@rhizome/mongo';
import { connection } from '@rhizome/subgraph';
import { experimentEntity } from '../../experiments/graphql/resolvers.js';
import type { CreateStorageInput, Resolvers, SetStorageInput } from '../../types.generated.js';
import { maySeeCredential } from '../storages.service.js';

/** Settings under the names that the service has for them. */
function renamed<T extends CreateStorageInput | SetStorageInput>({ queueNames, siteName, ...input }: T) {
  return { ...input, queues: queueNames, site: siteName };
}

export const storageResolvers: Pick<Resolvers, 'Storage' | 'StorageConnection' | 'Query' | 'Mutation'> = {
  Query: {
    storage: (_parent, { name }, { core, principal }) => core.storages.visible(name, principal),
    storages: async (_parent, { first, after }, { core, principal }) => {
      const items = await core.storages.visibleTo(principal);
      return keyedPage({ items, keyOf: ({ _id }) => _id, first: first ?? 50, after });
    },
  },
  Mutation: {
    createStorage: (_parent, { input }, { core, principal }) =>
      core.storages.create(renamed(input), principal),
    setStorage: (_parent, { input }, { core }) => core.storages.set(renamed(input)),
    removeStorage: (_parent, { input }, { core }) => core.storages.remove(input),
  },
  StorageConnection: connection,
  Storage: {
    id: ({ _id }) => `storage_${_id}`,
    name: ({ _id }) => _id,
    trustedOrigins: ({ trustedOrigins }) => trustedOrigins ?? [],
    credential: ({ credential }, _args, { principal }) =>
      maySeeCredential(principal) ? (credential ?? null) : null,
    experiments: async ({ experiments }, _args, { loaders }) => {
      const found = await Promise.all(experiments.map((name) => loaders.load(experimentEntity.loader, name)));
      return found.filter((experiment) => experiment !== null);
    },
    queueNames: ({ queues }) => queues,
    site: ({ site }) => (site === undefined ? null : { name: site }),
  },
};

const everywhere = (): string => '*';

// A storage may serve all experiments, and an address gets what the credential opens: changes need the
// permission in all experiments.
export const storagePolicies: Policies = {
  'Query.storage': { action: 'storage:read' },
  'Query.storages': { action: 'storage:read' },
  'Mutation.createStorage': { action: 'storage:manage', experiment: everywhere },
  'Mutation.setStorage': { action: 'storage:manage', experiment: everywhere },
  'Mutation.removeStorage': { action: 'storage:manage', experiment: everywhere },
};
