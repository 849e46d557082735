/** Stored proofs of possession: those that no gateway may accept again. */
import { defineCollection } from '@rhizome/mongo';

/** A proof that was used. */
export interface UsedProofDocument {
  /** `<thumbprint> <jti>`, `link <digest>` of a token, or `unlink <principalId>` for the end of a link. */
  readonly _id: string;
  readonly schemaVersion: number;
  /** Time after which no gateway accepts the proof in any case. */
  readonly expiresAt: Date;
}

/** Used proofs of all gateways, for about two minutes. */
export const usedProofsCollection = defineCollection<UsedProofDocument>({
  name: 'usedProofs',
  schemaVersion: 1,
  validator: {
    required: ['expiresAt'],
    properties: { _id: { bsonType: 'string', maxLength: 300 }, expiresAt: { bsonType: 'date' } },
  },
  indexes: [
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes proofs that are too old to be used',
    },
  ],
});
