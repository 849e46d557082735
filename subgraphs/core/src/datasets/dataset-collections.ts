import { datasetFilesCollection } from './dataset-file.document.js';
import { datasetsCollection } from './dataset.document.js';

/** Collections of datasets. */
export const datasetCollections = [datasetsCollection, datasetFilesCollection] as const;
