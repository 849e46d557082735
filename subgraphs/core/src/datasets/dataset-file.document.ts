/** Stored form of a file of a dataset. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { StoredLabel } from '../shared/label.types.js';

/** States of a replica. */
export const replicaStates = ['AVAILABLE', 'UNAVAILABLE', 'LOST', 'BEING_DELETED', 'DELETED'] as const;

/** One of {@link replicaStates}. */
export type ReplicaState = (typeof replicaStates)[number];

/** Deletion of a copy from its storage. */
export interface StoredDeletion {
  /** Subject that asked for it: the caller, or the author of the policy. */
  readonly by: string;
  /** Policy that asked for it; absent for a deletion by hand. */
  readonly policy?: { readonly id: string; readonly version: number };
  /** Number of other copies of the file that must be AVAILABLE when it is carried out. */
  readonly minReplicas: number;
  /** Time from which it is carried out; of one that has started, from which it is repeated. */
  readonly dueAt: Date;
  /** Set once the file may be gone from the storage: the copy cannot be restored. */
  readonly startedAt?: Date;
  /** Number of times that the storage refused to delete the copy; absent for none. */
  readonly refusals?: number;
}

/** A copy of a file. */
export interface StoredReplica {
  readonly location: string;
  /** Name of the storage; absent for a location outside of all storages. */
  readonly storage?: string;
  readonly state: ReplicaState;
  readonly changedAt: Date;
  /** Present while core deletes the copy, and afterwards. */
  readonly deletion?: StoredDeletion;
}

/** Properties of a file that never change. */
export interface FileFacts {
  /** Name, unique in the dataset; `JOB/PATH` for the output of a job. */
  readonly name: string;
  readonly sizeBytes: number;
  /** `ALGORITHM:HEX`; absent if unknown. */
  readonly digest?: string;
  /** Absent if unknown; counts as 0. */
  readonly events?: number;
  /** Text by which tasks group files. */
  readonly key?: string;
  readonly metadata: readonly StoredLabel[];
  /** Id of the job that produced it. */
  readonly jobId?: string;
}

/** A file of a dataset. */
export interface DatasetFileDocument extends FileFacts {
  /** See {@link fileIdOf}: one document for a name. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly datasetId: string;
  /** Number of files that were added before. */
  readonly position: number;
  readonly replicas: readonly StoredReplica[];
  /** Time at which the first deletion of a copy is due; absent if no copy is being deleted. */
  readonly deletionAt?: Date;
}

/** Version of the stored form. */
export const datasetFileSchemaVersion = 1;
/** Most replicas of a file. */
export const mostReplicas = 20;

/** Id of a file. It follows from the name, so that a file cannot be added twice. */
export function fileIdOf(datasetId: string, name: string): string {
  return `${datasetId}/${name}`;
}

const text = { bsonType: 'string' };
const amount = { bsonType: 'number', minimum: 0 };

/** Files of all datasets. */
export const datasetFilesCollection = defineCollection<DatasetFileDocument>({
  name: 'datasetFiles',
  schemaVersion: datasetFileSchemaVersion,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'datasetId',
      'position',
      'name',
      'sizeBytes',
      'metadata',
      'replicas',
    ],
    properties: {
      ...baseFields,
      datasetId: text,
      position: amount,
      name: text,
      sizeBytes: amount,
      digest: text,
      events: amount,
      key: text,
      metadata: { bsonType: 'array', maxItems: 16, items: { bsonType: 'object' } },
      jobId: text,
      replicas: { bsonType: 'array', maxItems: mostReplicas, items: { bsonType: 'object' } },
      deletionAt: { bsonType: 'date' },
    },
  },
  indexes: [
    {
      name: 'datasetId_position_uq',
      keys: { datasetId: 1, position: 1 },
      options: { unique: true },
      why: 'files of a dataset in the order in which they were added',
    },
    {
      name: 'datasetId_key_position_idx',
      keys: { datasetId: 1, key: 1, position: 1 },
      options: { partialFilterExpression: { key: { $exists: true } } },
      why: 'files of a dataset with a key',
    },
    {
      name: 'replicas_location_idx',
      keys: { 'replicas.location': 1 },
      why: 'files with a copy at a place, before the place is deleted or named as an input',
    },
    {
      name: 'deletionAt_idx',
      keys: { deletionAt: 1 },
      options: { partialFilterExpression: { deletionAt: { $exists: true } } },
      why: 'copies to delete next, for the leader',
    },
    {
      name: 'datasetId_deletion_idx',
      keys: { datasetId: 1, position: 1, deletionAt: 1 },
      options: { partialFilterExpression: { deletionAt: { $exists: true } } },
      why: 'files of a dataset whose copies are being deleted, to restore them',
    },
  ],
});
