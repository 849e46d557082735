/** Stored form of an experiment's shares. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Leaf of the share tree. */
export interface StoredShareLeaf {
  readonly leaf: string;
  readonly nominalCores: number;
  /** Absent means no limit. */
  readonly borrowLimitCores?: number;
  /** Absent means the same fraction of all GPUs as of all cores. */
  readonly nominalGpus?: number;
  /** Absent means no limit. */
  readonly borrowLimitGpus?: number;
  readonly weight: number;
  /** Absent means no limit. */
  readonly ownerLimitCores?: number;
}

/** All leaves of one experiment; they are set together, so they are one document. */
export interface SharesDocument {
  /** Name of the experiment. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** 1 to 100 leaves, the default first. */
  readonly leaves: readonly StoredShareLeaf[];
}

/** Maximum number of leaves per experiment. */
export const maxLeaves = 100;

const gpus = { bsonType: 'number', minimum: 0, maximum: 10_000_000 };
const cores = { bsonType: 'int', minimum: 0, maximum: 100_000_000 };

/** Shares, one document per experiment. There are few, so they are read as a whole. */
export const sharesCollection = defineCollection<SharesDocument>({
  name: 'shares',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'leaves'],
    properties: {
      ...baseFields,
      leaves: {
        bsonType: 'array',
        minItems: 1,
        maxItems: maxLeaves,
        items: {
          bsonType: 'object',
          required: ['leaf', 'nominalCores', 'weight'],
          additionalProperties: false,
          properties: {
            leaf: { bsonType: 'string' },
            nominalCores: cores,
            borrowLimitCores: cores,
            nominalGpus: gpus,
            borrowLimitGpus: gpus,
            weight: { bsonType: 'number' },
            ownerLimitCores: cores,
          },
        },
      },
    },
  },
});
