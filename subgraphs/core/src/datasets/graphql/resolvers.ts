/** Resolvers of datasets: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { connection } from '@rhizome/subgraph';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import { loadJob } from '../../jobs/graphql/job-loader.js';
import type { Resolvers } from '../../types.generated.js';
import { datasetLoader } from './dataset-loader.js';

type Types =
  | 'Query'
  | 'Mutation'
  | 'Dataset'
  | 'DatasetConnection'
  | 'DatasetFile'
  | 'DatasetFileConnection'
  | 'OutputDataset';

const mutations: Resolvers['Mutation'] = {
  createDataset: (_parent, { input }, { core, principal }) => core.datasets.datasets.create(principal, input),
  appendDatasetFiles: (_parent, { input }, { core, principal }) =>
    core.datasets.files.append(principal, input),
  setDatasetReplicas: (_parent, { input }, { core, principal }) =>
    core.datasets.files.setReplicas(principal, input),
  closeDataset: (_parent, { input: { datasetId } }, { core, principal }) =>
    core.datasets.datasets.close(principal, datasetId),
  removeDataset: (_parent, { input }, { core, principal }) => core.datasets.datasets.remove(principal, input),
};

/** Resolvers of this folder's SDL. */
export const datasetResolvers: Pick<Resolvers, Types> = {
  Query: {
    dataset: (_parent, { id }, { loaders }) => loaders.load(datasetLoader, id),
    datasets: (_parent, { filter, first, after }, { core, principal }) =>
      core.datasets.datasets.page(filter, { first: first ?? 20, after }, principal),
  },
  Mutation: mutations,
  Dataset: {
    id: ({ _id }) => _id,
    experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
    owner: ({ owner: subject }) => ({ subject }),
    fileCount: ({ totals }) => totals.files,
    sizeBytes: ({ totals }) => totals.bytes,
    eventCount: ({ totals }) => totals.events,
    files: (of, { filter, first, after }, { core }) =>
      core.datasets.files.page(of, filter, { first: first ?? 50, after }),
    closedAt: ({ closedAt }) => closedAt ?? null,
  },
  DatasetConnection: connection,
  DatasetFile: {
    digest: ({ digest }) => digest ?? null,
    eventCount: ({ events }) => events ?? null,
    key: ({ key }) => key ?? null,
    job: ({ jobId }, _args, context, info) => (jobId === undefined ? null : loadJob(jobId, context, info)),
    jobId: ({ jobId }) => jobId ?? null,
    addedAt: ({ createdAt }) => createdAt,
  },
  DatasetFileConnection: connection,
  OutputDataset: {
    dataset: ({ datasetId }, _args, { loaders }) => loaders.load(datasetLoader, datasetId),
    refusal: ({ refusal }) => refusal ?? null,
  },
};

/** Access policies of the root fields. The service limits which datasets a caller sees and changes. */
export const datasetPolicies: Policies = {
  'Query.dataset': { action: 'dataset:read' },
  'Query.datasets': { action: 'dataset:read' },
  'Mutation.createDataset': {
    action: 'dataset:write',
    experiment: ({ args }) => (args as { readonly input: { readonly experiment: string } }).input.experiment,
  },
  'Mutation.appendDatasetFiles': { action: 'dataset:write' },
  'Mutation.setDatasetReplicas': { action: 'dataset:write' },
  'Mutation.closeDataset': { action: 'dataset:write' },
  'Mutation.removeDataset': { action: 'dataset:write' },
};
