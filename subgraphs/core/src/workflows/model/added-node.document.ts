import { baseFields, defineCollection } from '@rhizome/mongo';
import { retention } from '../../shared/retention.js';
import type { NodeDocument } from './node.document.js';
import type { StoredTemplateInput } from './scopes.js';

/** Node as it will be added, without what depends on its position. */
export interface AddedNode extends Pick<
  NodeDocument,
  'name' | 'label' | 'depth' | 'total' | 'needed' | 'state' | 'job' | 'maxAdded' | 'subgraph'
> {
  /** Inputs of a node of a template that has a job; those of other nodes are in their payloads. */
  readonly inputs?: readonly StoredTemplateInput[];
}

/** Edges between nodes of a call, by their positions in it. */
export interface AddedEdges {
  readonly first: number;
  readonly offsets: Uint8Array;
  readonly targets: Uint8Array;
}

/** Node, or block of edges, of a call that adds nodes. */
export interface AddedNodeDocument {
  /** `<call>/N/<position in the call, seven digits>`, or `<call>/E/<first position>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly workflowId: string;
  /** Position of the node that adds it. */
  readonly by: number;
  readonly node?: AddedNode;
  readonly edges?: AddedEdges;
}

/** Version of the stored form. */
export const addedNodeSchemaVersion = 1;

const job = 'node.job.payload';
const existing = (field: string) => ({ partialFilterExpression: { [field]: { $exists: true } } });

/** Indexes by which users of files are found, before the files are deleted. */
const fileIndexes = [
  {
    name: 'input_location_idx',
    keys: { [`${job}.inputs.location`]: 1 },
    options: existing(`${job}.inputs.location`),
    why: 'workflows that are still to read a file, before it is deleted',
  },
  {
    name: 'input_otherLocations_idx',
    keys: { [`${job}.inputs.otherLocations`]: 1 },
    options: existing(`${job}.inputs.otherLocations`),
    why: 'the same for further places of inputs',
  },
  {
    name: 'upload_idx',
    keys: { [`${job}.uploadId`]: 1 },
    options: existing(`${job}.uploadId`),
    why: 'workflows that are still to use an upload, before it is removed',
  },
] as const;

/** Nodes that will be added when the node which adds them has succeeded. */
export const addedNodesCollection = defineCollection<AddedNodeDocument>({
  name: 'workflowAddedNodes',
  schemaVersion: addedNodeSchemaVersion,
  validator: {
    required: ['revision', 'createdAt', 'workflowId', 'by'],
    properties: {
      ...baseFields,
      workflowId: { bsonType: 'string', minLength: 1 },
      by: { bsonType: 'number', minimum: 0 },
      node: { bsonType: 'object' },
      edges: { bsonType: 'object' },
    },
  },
  indexes: [
    {
      name: 'workflowId_by_idx',
      keys: { workflowId: 1, by: 1 },
      why: 'nodes that a node has not added in the end',
    },
    ...fileIndexes,
    {
      name: 'createdAt_ttl',
      keys: { createdAt: 1 },
      options: { expireAfterSeconds: retention.addedNode },
      why: 'none: they are deleted when their node ends; those of a call that ended after it expire',
    },
  ],
});

/** Nodes and edges of the templates of workflows, by the position of the template. */
export const templateNodesCollection = defineCollection<AddedNodeDocument>({
  name: 'workflowTemplateNodes',
  schemaVersion: addedNodeSchemaVersion,
  validator: addedNodesCollection.validator,
  indexes: [
    {
      name: 'outputDataset_idx',
      keys: { 'node.job.payload.outputDatasets.datasetId': 1, workflowId: 1 },
      options: {
        partialFilterExpression: { 'node.job.payload.outputDatasets.datasetId': { $exists: true } },
      },
      why: 'workflows that may still add outputs to a dataset by nodes of their sub-graphs',
    },
    ...fileIndexes,
  ],
});
