/** Stored failures of logins and codes, by address: all gateways limit them together. */
import { defineCollection } from '@rhizome/mongo';

/** The last failures of one address. */
export interface FailedGuessesDocument {
  /** The address, or the address with the digest of the holder that was named. */
  readonly _id: string;
  readonly schemaVersion: number;
  /** Times of the last failures, the oldest first; at most as many as are allowed. */
  readonly failedAt: readonly Date[];
  /** Time from which none of them counts. */
  readonly expiresAt: Date;
}

/** Failures of the last minutes. */
export const failedGuessesCollection = defineCollection<FailedGuessesDocument>({
  name: 'failedGuesses',
  schemaVersion: 1,
  validator: {
    required: ['failedAt', 'expiresAt'],
    properties: {
      _id: { bsonType: 'string', maxLength: 200 },
      failedAt: { bsonType: 'array', maxItems: 10_000, items: { bsonType: 'date' } },
      expiresAt: { bsonType: 'date' },
    },
  },
  indexes: [
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes failures that do not count any more',
    },
  ],
});
