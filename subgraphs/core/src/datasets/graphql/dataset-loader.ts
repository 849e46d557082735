import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import type { DatasetDocument } from '../dataset.document.js';

/** Loads datasets by id; null if the principal may not see it. */
export const datasetLoader = defineLoader<string, DatasetDocument, Context>({
  name: 'Dataset',
  load: (ids, { core, principal }) => core.datasets.datasets.findMany(ids, principal),
});
