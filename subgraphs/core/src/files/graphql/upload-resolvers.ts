/** Resolvers of uploads: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { connection } from '@rhizome/subgraph';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import type { Resolvers } from '../../types.generated.js';

export const uploadResolvers: Pick<Resolvers, 'Upload' | 'UploadConnection' | 'Query' | 'Mutation'> = {
  Query: {
    upload: (_parent, { id }, { core, principal }) => core.files.uploads.find(principal, id),
    uploads: (_parent, { first, after }, { core, principal }) =>
      core.files.uploads.list(principal, { first: first ?? 50, after }),
  },
  Mutation: {
    createUpload: (_parent, { input }, { core, principal }) => core.files.uploads.create(principal, input),
    completeUpload: (_parent, { input: { id } }, { core, principal }) =>
      core.files.uploads.complete(principal, id),
    removeUpload: (_parent, { input: { id } }, { core, principal }) =>
      core.files.uploads.remove(principal, id),
  },
  UploadConnection: connection,
  Upload: {
    id: ({ _id }) => _id,
    experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
    owner: ({ owner: subject }) => ({ subject }),
    partCount: ({ partCount }) => partCount,
    storageName: ({ storage }) => storage,
  },
};

// An upload has one owner; the service compares it with the caller.
export const uploadPolicies: Policies = {
  'Query.upload': { action: 'job:submit', perPrincipal: true },
  'Query.uploads': { action: 'job:submit', perPrincipal: true },
  'Mutation.createUpload': {
    action: 'job:submit',
    experiment: ({ args }) => (args as { input: { experiment: string } }).input.experiment,
  },
  'Mutation.completeUpload': { action: 'job:submit' },
  'Mutation.removeUpload': { action: 'job:submit' },
};
