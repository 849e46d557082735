import { defineCollection } from '@rhizome/mongo';
import { maxUnitsOfBlock } from './block.document.js';

/** A completed unit with its result. */
export interface CompletedUnit {
  readonly position: number;
  readonly key: string;
  readonly seconds: number;
  readonly result?: string;
}

/** Units of one block that a job completed in one call. Written together with the block, once. */
export interface UnitCompletionDocument {
  /** `completion_…`; contains the pool. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly poolId: string;
  readonly blockId: string;
  readonly jobId: string;
  readonly site?: string;
  readonly at: Date;
  readonly expiresAt: Date;
  readonly units: readonly CompletedUnit[];
}

/** Completions of all pools. */
export const unitCompletionsCollection = defineCollection<UnitCompletionDocument>({
  name: 'unitCompletions',
  schemaVersion: 1,
  validator: {
    required: ['poolId', 'blockId', 'jobId', 'at', 'expiresAt', 'units'],
    properties: {
      poolId: { bsonType: 'string' },
      blockId: { bsonType: 'string' },
      jobId: { bsonType: 'string' },
      site: { bsonType: 'string' },
      at: { bsonType: 'date' },
      expiresAt: { bsonType: 'date' },
      units: { bsonType: 'array', minItems: 1, maxItems: maxUnitsOfBlock },
    },
  },
  indexes: [
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes results after the retention of their pool',
    },
  ],
});
