/** Resolvers of the deletion of files: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { connection } from '@rhizome/subgraph';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import type { Resolvers } from '../../types.generated.js';
import { hasBegun } from '../replicas.js';
import { datasetLoader } from './dataset-loader.js';

type Types =
  | 'Query'
  | 'Mutation'
  | 'FilePolicy'
  | 'FilePolicyConnection'
  | 'FilePolicyRules'
  | 'FilePolicyRun'
  | 'FilePolicyVersion'
  | 'FileDeletionPreview'
  | 'DeletedShare'
  | 'SelectedFile'
  | 'KeptFile'
  | 'DatasetFileDeletion'
  | 'FileReplica'
  | 'ReplicaDeletion';

/** Resolvers of this folder's SDL of deletions. */
export const deletionResolvers: Pick<Resolvers, Types> = {
  Query: {
    filePolicies: (_parent, { filter, first, after }, { core, principal }) =>
      core.datasets.policies.page(principal, filter, { first: first ?? 20, after }),
    fileDeletionPreview: (_parent, { input }, { core, principal }) =>
      core.datasets.policies.preview(principal, input),
  },
  Mutation: {
    setFilePolicy: (_parent, { input }, { core, principal }) => core.datasets.policies.set(principal, input),
    deleteDatasetFiles: async (_parent, { input }, { core, principal }) => {
      const { totals, nextPosition, userErrors } = await core.datasets.deletions.delete(principal, input);
      return { deletion: totals && { ...totals, nextPosition }, userErrors };
    },
    restoreDatasetFiles: async (_parent, { input }, { core, principal }) => {
      const { copies, tooLate, nextPosition, userErrors } = await core.datasets.deletions.restore(
        principal,
        input,
      );
      return {
        copyCount: copies,
        tooLateCount: tooLate,
        nextPosition: nextPosition ?? null,
        userErrors,
      };
    },
  },
  FilePolicy: {
    id: ({ _id }) => _id,
    experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
    isEnabled: ({ versions }) => versions[0]?.isEnabled ?? false,
    rules: ({ _id, versions: [newest] }) => {
      if (newest) return newest.rules;
      throw new Error(`file policy ${_id} has no version`);
    },
    version: ({ versions }) => versions[0]?.version ?? 0,
    nextAt: ({ nextAt }) => nextAt ?? null,
    lastRun: ({ lastRun }) => lastRun ?? null,
  },
  FilePolicyConnection: connection,
  FilePolicyRules: {
    dataset: ({ datasetId }, _args, { loaders }) =>
      datasetId === undefined ? null : loaders.load(datasetLoader, datasetId),
    datasetId: ({ datasetId }) => datasetId ?? null,
    namePrefix: ({ namePrefix }) => namePrefix ?? null,
    storageName: ({ storageName }) => storageName ?? null,
  },
  FilePolicyRun: {
    copyCount: ({ copies }) => copies,
    sizeBytes: ({ bytes }) => bytes,
    keptFileCount: ({ keptFiles }) => keptFiles,
  },
  FilePolicyVersion: {
    author: ({ author: subject }) => ({ subject }),
    comment: ({ comment }) => comment ?? null,
  },
  FileDeletionPreview: {
    fileCount: ({ files }) => files,
    copyCount: ({ copies }) => copies,
    sizeBytes: ({ bytes }) => bytes,
    keptFileCount: ({ keptFiles }) => keptFiles,
    oldestAt: ({ oldestAt }) => oldestAt ?? null,
  },
  DeletedShare: {
    dataset: ({ datasetId }, _args, { loaders }) => loaders.load(datasetLoader, datasetId),
    fileCount: ({ files }) => files,
    sizeBytes: ({ bytes }) => bytes,
  },
  SelectedFile: {
    dataset: ({ datasetId }, _args, { loaders }) => loaders.load(datasetLoader, datasetId),
    addedAt: ({ createdAt }) => createdAt,
  },
  KeptFile: { dataset: ({ datasetId }, _args, { loaders }) => loaders.load(datasetLoader, datasetId) },
  DatasetFileDeletion: {
    fileCount: ({ files }) => files,
    copyCount: ({ copies }) => copies,
    sizeBytes: ({ bytes }) => bytes,
    keptFileCount: ({ keptFiles }) => keptFiles,
    nextPosition: ({ nextPosition }) => nextPosition ?? null,
  },
  FileReplica: {
    storageName: ({ storage }) => storage ?? null,
    deletion: (replica) =>
      replica.deletion
        ? { ...replica.deletion, hasBegun: replica.state === 'DELETED' || hasBegun(replica) }
        : null,
  },
  ReplicaDeletion: {
    requestedBy: ({ by: subject }) => ({ subject }),
    policyId: ({ policy }) => policy?.id ?? null,
    policyVersion: ({ policy }) => policy?.version ?? null,
  },
};

/** Access policies of the root fields. The services limit which datasets and policies a caller reaches. */
export const deletionPolicies: Policies = {
  'Query.filePolicies': { action: 'dataset:read' },
  'Query.fileDeletionPreview': { action: 'dataset:write', perPrincipal: true },
  'Mutation.setFilePolicy': { action: 'dataset:write' },
  'Mutation.deleteDatasetFiles': { action: 'dataset:write' },
  'Mutation.restoreDatasetFiles': { action: 'dataset:write' },
};
