/** Stored form of a dataset. Its files are documents of their own. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { StoredLabel } from '../shared/label.types.js';

/** States of a dataset. */
export const datasetStates = ['OPEN', 'CLOSED', 'REMOVING'] as const;

/** One of {@link datasetStates}. */
export type DatasetState = (typeof datasetStates)[number];

/** Sums over the files of a dataset. */
export interface DatasetTotals {
  readonly files: number;
  readonly bytes: number;
  readonly events: number;
}

/** A named set of files of an experiment. */
export interface DatasetDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly experiment: string;
  readonly name: string;
  /** Subject of the owner. */
  readonly owner: string;
  readonly state: DatasetState;
  readonly metadata: readonly StoredLabel[];
  /** Written in one transaction with the files, so that each file counts once. */
  readonly totals: DatasetTotals;
  readonly closedAt?: Date;
  /** Latest use of its files by a task, to an hour; absent for none. */
  readonly lastUsedAt?: Date;
  /** Digest of the input, by which a repeated creation is recognised. */
  readonly digest: string;
}

/** Version of the stored form. */
export const datasetSchemaVersion = 1;

const text = { bsonType: 'string' };
const sum = { bsonType: 'number', minimum: 0 };

/** Datasets of all experiments. */
export const datasetsCollection = defineCollection<DatasetDocument>({
  name: 'datasets',
  schemaVersion: datasetSchemaVersion,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'experiment',
      'name',
      'owner',
      'state',
      'metadata',
      'totals',
      'digest',
    ],
    properties: {
      ...baseFields,
      experiment: text,
      name: text,
      owner: text,
      state: { enum: [...datasetStates] },
      metadata: { bsonType: 'array', maxItems: 32, items: { bsonType: 'object' } },
      totals: {
        bsonType: 'object',
        required: ['files', 'bytes', 'events'],
        properties: { files: sum, bytes: sum, events: sum },
      },
      closedAt: { bsonType: 'date' },
      lastUsedAt: { bsonType: 'date' },
      digest: text,
    },
  },
  indexes: [
    {
      name: 'experiment_name_uq',
      keys: { experiment: 1, name: 1 },
      options: { unique: true },
      why: 'a dataset by its name; the datasets of an experiment',
    },
    {
      name: 'removing_idx',
      keys: { _id: 1, state: 1 },
      options: { partialFilterExpression: { state: 'REMOVING' } },
      why: 'datasets that are being removed, for the leader',
    },
  ],
});
