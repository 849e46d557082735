/** Stored revocations: a small deny list of tokens that have not ended yet. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Kinds of revocations. */
export const revocationKinds = ['TOKEN', 'FAMILY', 'PRINCIPAL', 'WORKER', 'ISSUER'] as const;

/** One of {@link revocationKinds}. */
export type RevocationKind = (typeof revocationKinds)[number];

/** A revocation. Tokens that were issued up to `notBefore` are dead. */
export interface RevocationDocument {
  /** `<kind>:<value>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly kind: RevocationKind;
  readonly value: string;
  readonly notBefore: Date;
  /** Time at which all tokens that it concerns have ended. */
  readonly expiresAt: Date;
  readonly reason: string | null;
  readonly revokedBy: string;
}

const text = { bsonType: 'string' };

/** Revocations that are in force. They are few: each ends with the longest token that it concerns. */
export const revocationsCollection = defineCollection<RevocationDocument>({
  name: 'revocations',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'kind', 'value', 'notBefore', 'expiresAt', 'revokedBy'],
    properties: {
      ...baseFields,
      kind: { enum: [...revocationKinds] },
      value: { bsonType: 'string', maxLength: 2000 },
      notBefore: { bsonType: 'date' },
      expiresAt: { bsonType: 'date' },
      reason: { bsonType: ['string', 'null'] },
      revokedBy: text,
    },
  },
  indexes: [
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 60 },
      why: 'removes revocations of tokens that have ended',
    },
  ],
});
