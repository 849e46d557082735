import { baseFields, defineCollection } from '@rhizome/mongo';
import { retention } from '../../shared/retention.js';
import type { FileNeeds } from '../submit/node-files.js';
import type { GroupEdgeSpec, NodeLabelSpec } from '../submit/workflow-spec.types.js';

/** Nodes in their order, at most 1000. */
export interface NamesContent {
  readonly kind: 'NODES';
  /** Position of the first. */
  readonly first: number;
  readonly names: readonly string[];
  /** Different labels; empty for none. */
  readonly labels: readonly string[];
  /** For each node, twice the position of its label in `labels`, plus one for a final node. */
  readonly places: readonly number[];
}

/** Edges that lead to nodes of the part, from nodes of any part. */
export interface EdgesContent {
  readonly kind: 'EDGES';
  /** Different parents. */
  readonly names: readonly string[];
  /** 32-bit numbers, two for each edge: the child, and the parent in `names` as in `encodeTarget`. */
  readonly edges: Uint8Array;
}

/** Bytes of an edge in {@link EdgesContent}. */
export const bytesPerEdge = 8;

/** First node of each requirement class of the part. */
export interface ClassesContent {
  readonly kind: 'CLASSES';
  readonly classIds: readonly string[];
  readonly nodes: readonly number[];
}

/** Label of the workflow, as the caller described it. */
export interface LabelContent {
  readonly kind: 'LABEL';
  readonly label: NodeLabelSpec;
}

/** Edges between labels, as the caller described them. */
export interface GroupEdgesContent {
  readonly kind: 'GROUP_EDGES';
  readonly groupEdges: readonly GroupEdgeSpec[];
}

/** Outputs that nodes of the part read, each once. */
export interface FilesContent extends FileNeeds {
  readonly kind: 'FILES';
}

/** Content of a piece. */
export type PartContent =
  NamesContent | EdgesContent | ClassesContent | LabelContent | GroupEdgesContent | FilesContent;

/** Piece of a part. */
export interface PartDocument {
  /** `<workflow>/<kind>/<part, four digits>/<position in the part, six digits>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly workflowId: string;
  readonly content: PartContent;
}

/** Version of the stored form. */
export const partSchemaVersion = 1;

/** Parts of workflows that are not sealed. */
export const partsCollection = defineCollection<PartDocument>({
  name: 'workflowParts',
  schemaVersion: partSchemaVersion,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'workflowId', 'content'],
    properties: {
      ...baseFields,
      workflowId: { bsonType: 'string', minLength: 1 },
      content: { bsonType: 'object', required: ['kind'] },
    },
  },
  indexes: [
    {
      name: 'createdAt_ttl',
      keys: { createdAt: 1 },
      options: { expireAfterSeconds: retention.workflowPart },
      why: 'none: parts are deleted when the workflow is sealed or cancelled; those that a killed process left expire',
    },
  ],
});
