/**
 * Events that could not be read after repeated attempts: stored as dead letters, so that later events can be
 * recorded.
 */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** One of them. */
export interface DeadLetterDocument {
  /** The place in the stream behind it: its cursor. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  /** Job of the event, if known. */
  readonly jobId?: string;
  /** Error of the read. */
  readonly code: string;
  readonly message: string;
  /** Number of attempts to read it. */
  readonly tries: number;
}

/** Events kept; of more, the oldest are given up. They are counted all the same. */
export const maxDeadLetters = 1000;

/** Seconds that one is kept. */
const keptSeconds = 30 * 24 * 3600;

/** Dead letters. The stored name is older than the term. */
export const deadLettersCollection = defineCollection<DeadLetterDocument>({
  name: 'parkedEvents',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'code', 'message', 'tries'],
    properties: {
      revision: baseFields.revision,
      createdAt: baseFields.createdAt,
      jobId: { bsonType: 'string' },
      code: { bsonType: 'string', maxLength: 100 },
      message: { bsonType: 'string', maxLength: 2000 },
      tries: { bsonType: 'int', minimum: 1 },
    },
  },
  indexes: [
    {
      name: 'createdAt_ttl',
      keys: { createdAt: 1 },
      options: { expireAfterSeconds: keptSeconds },
      why: 'the oldest, which are given up where there are too many; after 30 days each is',
    },
  ],
});
