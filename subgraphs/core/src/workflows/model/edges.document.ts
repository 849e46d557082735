import { defineCollection } from '@rhizome/mongo';

/** Edges that leave consecutive nodes, as arrays of 32-bit numbers. Written once. */
export interface EdgesDocument {
  /** `<workflow>/<position of the block, four digits>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly workflowId: string;
  /** Start of the edges of each node, and the end of the last. */
  readonly offsets: Uint8Array;
  /** Four times the position of the child, plus the position of the condition. */
  readonly targets: Uint8Array;
}

/** Version of the stored form. */
export const edgesSchemaVersion = 1;

/** Edges of workflows, in blocks. */
export const edgesCollection = defineCollection<EdgesDocument>({
  name: 'workflowEdges',
  schemaVersion: edgesSchemaVersion,
  validator: {
    required: ['revision', 'createdAt', 'workflowId', 'offsets', 'targets'],
    properties: {
      revision: { bsonType: 'number' },
      createdAt: { bsonType: 'date' },
      workflowId: { bsonType: 'string' },
      offsets: { bsonType: 'binData' },
      targets: { bsonType: 'binData' },
    },
  },
});
