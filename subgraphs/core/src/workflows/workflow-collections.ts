import { addedNodesCollection, templateNodesCollection } from './model/added-node.document.js';
import { edgesCollection } from './model/edges.document.js';
import { nodesCollection } from './model/node.document.js';
import { partsCollection } from './model/part.document.js';
import { workflowsCollection } from './model/workflow.document.js';

/** Collections of workflows. */
export const workflowCollections = [
  workflowsCollection,
  nodesCollection,
  edgesCollection,
  partsCollection,
  addedNodesCollection,
  templateNodesCollection,
] as const;
