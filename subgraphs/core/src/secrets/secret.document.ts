/** Stored form of a secret: its value is encrypted, see `envelope.ts`. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { Envelope } from './envelope.js';

/** Holders of secrets: a user, or an experiment. */
export const secretScopes = ['USER', 'EXPERIMENT'] as const;

/** One of {@link secretScopes}. */
export type SecretScope = (typeof secretScopes)[number];

/** A version of a secret, without its value. */
export interface SecretVersion {
  readonly number: number;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly expiresAt?: Date | undefined;
}

/** Secret of a user or an experiment. The store has the value of the newest version only. */
export interface SecretDocument {
  /** `secret_…` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly scope: SecretScope;
  /** Subject of the user, or name of the experiment. */
  readonly holder: string;
  readonly name: string;
  /** The newest version first, at most {@link keptVersions}. */
  readonly versions: readonly SecretVersion[];
  readonly envelope: Envelope;
  /** Size of the value in bytes. */
  readonly bytes: number;
  readonly lastUsedAt?: Date;
}

/** Versions that the list of a secret has. */
export const keptVersions = 20;

const text = { bsonType: 'string', minLength: 1, maxLength: 255 } as const;
const date = { bsonType: 'date' } as const;

export const secretsCollection = defineCollection<SecretDocument>({
  name: 'secrets',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'scope',
      'holder',
      'name',
      'versions',
      'envelope',
      'bytes',
    ],
    properties: {
      ...baseFields,
      scope: { enum: [...secretScopes] },
      holder: text,
      name: text,
      versions: {
        bsonType: 'array',
        minItems: 1,
        maxItems: keptVersions,
        items: { bsonType: 'object', required: ['number', 'createdAt', 'createdBy'] },
      },
      envelope: {
        bsonType: 'object',
        required: ['keyId', 'wrappedKey', 'nonce', 'ciphertext'],
        additionalProperties: false,
        properties: { keyId: text, wrappedKey: text, nonce: text, ciphertext: { bsonType: 'string' } },
      },
      bytes: { bsonType: 'number', minimum: 0 },
      lastUsedAt: date,
    },
  },
  indexes: [
    {
      name: 'holder_name_uq',
      keys: { scope: 1, holder: 1, name: 1 },
      options: { unique: true },
      why: 'the secrets of a holder; a secret by its name',
    },
    { name: 'keyId_idx', keys: { 'envelope.keyId': 1 }, why: 'secrets under a replaced master key' },
  ],
});
