import { defineCollection } from '@rhizome/mongo';
import type { RefusedJob } from './submit.types.js';

/**
 * What a submit answered: reserved before its first job is written, so that the same key gives the same ids and the same refusals,
 * whoever asks again and whatever has happened in between.
 */
export interface SubmissionDocument {
  /** `<kind>/<experiment>/<subject>/<key>`. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  /** Time of the batch: the ids of its jobs begin with it. */
  readonly createdAt: Date;
  /** SHA-256 of the input. */
  readonly digest: string;
  /** Id of the batch, from which the ids of its jobs follow; of a task, its id. */
  readonly batchId: string;
  readonly count: number;
  readonly refused: readonly RefusedJob[];
  /** Set once all jobs are written: nothing is written again. */
  readonly doneAt?: Date;
}

/** Submits by their idempotency keys. */
export const submissionsCollection = defineCollection<SubmissionDocument>({
  name: 'submissions',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'digest', 'batchId', 'count', 'refused'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      createdAt: { bsonType: 'date' },
      digest: { bsonType: 'string' },
      batchId: { bsonType: 'string' },
      count: { bsonType: 'int', minimum: 0 },
      refused: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: 10_000 },
      doneAt: { bsonType: 'date' },
    },
  },
});
