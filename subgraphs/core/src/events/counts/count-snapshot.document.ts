/**
 * The stored counts: one head that names the place in the stream and the chunks that belong to it, and the chunks. A snapshot becomes valid
 * by the one write of its head.
 */
import { defineCollection } from '@rhizome/mongo';
import type { StoredCountRow } from './job-counts.js';
import type { TaskCountRow } from './task-counts.js';

/** The id of the head. */
export const headId = 'head';

/** The head: what is counted up to where. */
export interface CountHeadDocument {
  readonly _id: typeof headId;
  readonly schemaVersion: number;
  readonly kind: 'HEAD';
  readonly createdAt: Date;
  /** The counts hold every event up to here and none behind. */
  readonly token: string;
  /** The broker's epoch of the leader that wrote it: an older leader cannot put a younger one's aside. */
  readonly epoch: number;
  readonly forgottenUpTo: string;
  /** Ids of the chunks, in the order in which they are to be taken. */
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

/** Either. */
export type CountSnapshotDocument = CountHeadDocument | CountChunkDocument;

const rows = { bsonType: 'array', maxItems: 10_000, items: { bsonType: 'object' } };

/** See the head of this file. */
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
