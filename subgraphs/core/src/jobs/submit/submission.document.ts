import { defineCollection } from '@rhizome/mongo';
import { retention } from '../../shared/retention.js';
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
  /** Reasons to refuse jobs that are not kept; left out where there are none. */
  readonly omitted?: number;
  /** Set once all jobs are written: nothing is written again. */
  readonly doneAt?: Date;
}

/** Version of the stored shape; since 2 with the number of reasons that are not kept. */
export const submissionSchemaVersion = 2;

/** Submits by their idempotency keys. */
export const submissionsCollection = defineCollection<SubmissionDocument>({
  name: 'submissions',
  schemaVersion: submissionSchemaVersion,
  validator: {
    required: ['revision', 'createdAt', 'digest', 'batchId', 'count', 'refused'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      createdAt: { bsonType: 'date' },
      digest: { bsonType: 'string' },
      batchId: { bsonType: 'string' },
      count: { bsonType: 'int', minimum: 0 },
      refused: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: 10_000 },
      omitted: { bsonType: 'int', minimum: 1 },
      doneAt: { bsonType: 'date' },
    },
  },
  indexes: [
    {
      name: 'createdAt_ttl',
      keys: { createdAt: 1 },
      options: { expireAfterSeconds: retention.submission },
      why: 'none: keys are forgotten 30 days after their use, when nobody repeats the call any more',
    },
  ],
});
