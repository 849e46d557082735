import { defineCollection } from '@rhizome/mongo';
import { retention } from '../../shared/retention.js';
import type { RefusedJob } from './submit.types.js';

/**
 * Answer to a submit. It is reserved before the first job is written, so that a repetition with the same key
 * returns the same ids and errors, whatever happened in between.
 */
export interface SubmissionDocument {
  /** `<kind>/<experiment>/<subject>/<key>`. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  /** Time of the batch; the ids of its jobs start with it. */
  readonly createdAt: Date;
  /** SHA-256 of the input. */
  readonly digest: string;
  /** Id of the batch, from which the ids of its jobs are derived; for a task, the task's id. */
  readonly batchId: string;
  readonly count: number;
  readonly refused: readonly RefusedJob[];
  /** Number of errors that are not stored; absent if there are none. */
  readonly omitted?: number;
  /** Set when all jobs are written: a repetition writes nothing. */
  readonly doneAt?: Date;
}

/** Version of the stored form; version 2 added the number of errors that are not stored. */
export const submissionSchemaVersion = 2;

/** Submits by idempotency key. */
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
      why: 'none: keys expire 30 days after their use, when calls are no longer repeated',
    },
  ],
});
