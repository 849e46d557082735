import { datasetFilesCollection } from './dataset-file.document.js';
import { datasetsCollection } from './dataset.document.js';
import { filePoliciesCollection } from './deletion/file-policy.document.js';

/** Collections of datasets. */
export const datasetCollections = [
  datasetsCollection,
  datasetFilesCollection,
  filePoliciesCollection,
] as const;
