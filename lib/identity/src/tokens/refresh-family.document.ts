/** Stored refresh tokens: one document for a login and all tokens that follow from it. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { Sealed } from './key-encryption.js';

/** Number of earlier secrets by which a reuse is detected. */
export const keptSecrets = 20;

/** A login that lasts. Secrets are stored as keyed digests. */
export interface RefreshFamilyDocument {
  /** `login_…` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly principalId: string;
  /** The `iss` of the token that was exchanged. */
  readonly issuer: string;
  /** Its claims, so that changed rules apply at the next refresh. */
  readonly claims: Sealed;
  /** The scope that was asked for. */
  readonly scope: string;
  /** The client that started the login. */
  readonly clientId: string;
  /** Lifetime of its access tokens; null for the usual one. */
  readonly lifetimeSeconds: number | null;
  readonly current: string;
  readonly previous: string | null;
  /** True after the previous secret was used once more, because the answer to its first use was lost. */
  readonly isGraceUsed: boolean;
  readonly used: readonly string[];
  readonly expiresAt: Date;
}

const text = { bsonType: 'string' };

/** Logins with a refresh token. */
export const refreshFamiliesCollection = defineCollection<RefreshFamilyDocument>({
  name: 'refreshFamilies',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'principalId',
      'issuer',
      'claims',
      'current',
      'expiresAt',
    ],
    properties: {
      ...baseFields,
      principalId: text,
      issuer: text,
      claims: { bsonType: 'object', required: ['keyId', 'nonce', 'ciphertext'] },
      scope: text,
      clientId: text,
      lifetimeSeconds: { bsonType: ['int', 'null'], minimum: 1 },
      current: text,
      previous: { bsonType: ['string', 'null'] },
      isGraceUsed: { bsonType: 'bool' },
      used: { bsonType: 'array', maxItems: keptSecrets, items: text },
      expiresAt: { bsonType: 'date' },
    },
  },
  indexes: [
    { name: 'principalId_idx', keys: { principalId: 1 }, why: 'ends the logins of a principal' },
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes logins that have ended',
    },
  ],
});
