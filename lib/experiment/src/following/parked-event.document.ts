/** Events that could not be read, however often they were asked for: put aside, so that those behind them are taken in. */
import { defineCollection } from '@rhizome/mongo';

/** One of them. */
export interface ParkedEventDocument {
  /** The place in the stream behind it: its cursor. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  /** Its job, where that was told. */
  readonly jobId?: string;
  /** What was said instead of it. */
  readonly code: string;
  readonly message: string;
  /** How often it was asked for. */
  readonly tries: number;
}

/** Events kept; of more, the oldest are given up. They are counted all the same. */
export const maxParkedEvents = 1000;

/** Seconds that one is kept. */
const keptSeconds = 30 * 24 * 3600;

/** Events that were put aside. */
export const parkedEventsCollection = defineCollection<ParkedEventDocument>({
  name: 'parkedEvents',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'code', 'message', 'tries'],
    properties: {
      revision: { bsonType: 'int', minimum: 1 },
      createdAt: { bsonType: 'date' },
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
