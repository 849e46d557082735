/** Stored sessions of browsers. */
import { type ElevationReference, roles } from '@rhizome/authz';
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { Sealed } from '../tokens/key-encryption.js';

/** A browser in which somebody is logged in. The cookie has the id; the store has its digest alone. */
export interface WebSessionDocument {
  /** Keyed digest of the id. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** The login that its tokens follow from, by which it is revoked. */
  readonly family: string;
  readonly principalId: string;
  /** The `iss` of the token with which it began. */
  readonly issuer: string;
  /** Its claims, so that changed rules apply to the next access token. */
  readonly claims: Sealed;
  readonly expiresAt: Date;
  /** Roles that its principal took for a short time; it may have ended. */
  readonly elevation?: ElevationReference;
}

const text = { bsonType: 'string' };

/** Sessions of browsers. */
export const webSessionsCollection = defineCollection<WebSessionDocument>({
  name: 'webSessions',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'family',
      'principalId',
      'issuer',
      'claims',
      'expiresAt',
    ],
    properties: {
      ...baseFields,
      family: text,
      principalId: text,
      issuer: text,
      claims: { bsonType: 'object', required: ['keyId', 'nonce', 'ciphertext'] },
      expiresAt: { bsonType: 'date' },
      elevation: {
        bsonType: 'object',
        required: ['id', 'experiment', 'roles', 'until'],
        properties: {
          id: text,
          experiment: text,
          roles: { bsonType: 'array', minItems: 1, maxItems: roles.length, items: { enum: [...roles] } },
          until: { bsonType: 'date' },
        },
      },
    },
  },
  indexes: [
    {
      name: 'family_idx',
      keys: { family: 1 },
      why: 'the session of a token, which takes roles for a short time',
    },
    {
      name: 'elevation_id_idx',
      keys: { 'elevation.id': 1 },
      options: { partialFilterExpression: { 'elevation.id': { $exists: true } } },
      why: 'the session of a token with further roles',
    },
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes sessions that have ended',
    },
  ],
});
