/**
 * The stored counts: one head document with the position in the stream and the ids of its chunks, and the
 * chunks. The single write of the head makes a snapshot valid.
 */
import { defineCollection } from '@rhizome/mongo';
import type { StoredCountRow } from './job-counts.js';
import type { TaskCountRow } from './task-counts.js';

/** The id of the head. */
export const headId = 'head';

/** The head: position of the counts in the stream, and their chunks. */
export interface CountHeadDocument {
  readonly _id: typeof headId;
  readonly schemaVersion: number;
  readonly kind: 'HEAD';
  readonly createdAt: Date;
  /** The counts contain every event up to this position, and none after it. */
  readonly token: string;
  /**
   * Broker epoch of the leader that wrote the snapshot: an older leader cannot replace the snapshot of a
   * younger one.
   */
  readonly epoch: number;
  readonly forgottenUpTo: string;
  /** Ids of the chunks, in the order in which they are read. */
  readonly chunks: readonly string[];
}

/** A part of the counts. */
export interface CountChunkDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly kind: 'CHUNK';
  readonly createdAt: Date;
  readonly epoch: number;
  readonly jobs: readonly StoredCountRow[];
  readonly tasks: readonly TaskCountRow[];
}

/** A head or a chunk. */
export type CountSnapshotDocument = CountHeadDocument | CountChunkDocument;

const rows = { bsonType: 'array', maxItems: 10_000, items: { bsonType: 'object' } };

/** Collection of stored counts. */
export const countSnapshotsCollection = defineCollection<CountSnapshotDocument>({
  name: 'countSnapshots',
  schemaVersion: 1,
  validator: {
    required: ['kind', 'createdAt', 'epoch'],
    properties: {
      kind: { enum: ['HEAD', 'CHUNK'] },
      createdAt: { bsonType: 'date' },
      token: { bsonType: 'string' },
      epoch: { bsonType: 'number', minimum: 0 },
      forgottenUpTo: { bsonType: 'string' },
      chunks: { bsonType: 'array', maxItems: 100_000, items: { bsonType: 'string' } },
      jobs: rows,
      tasks: rows,
    },
  },
});
