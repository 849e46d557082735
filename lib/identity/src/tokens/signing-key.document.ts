/** Stored keys that sign Rhizome's tokens. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { Sealed } from './key-encryption.js';

/** An ES256 key pair. */
export interface SigningKeyDocument {
  /** Its thumbprint, which is the `kid` of tokens. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Counts from 1; unique, so that two processes that make a key at once make one. */
  readonly generation: number;
  readonly publicJwk: Readonly<Record<string, string>>;
  readonly privateJwk: Sealed;
  /** Time from which it signs; null for the key that is published for later. */
  readonly activeFrom: Date | null;
  /** Time at which it is published no longer; null while it signs. */
  readonly retiresAt: Date | null;
}

/** Signing keys. They are few and always read as a whole. */
export const signingKeysCollection = defineCollection<SigningKeyDocument>({
  name: 'signingKeys',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'generation',
      'publicJwk',
      'privateJwk',
      'activeFrom',
      'retiresAt',
    ],
    properties: {
      ...baseFields,
      generation: { bsonType: 'int', minimum: 1 },
      publicJwk: { bsonType: 'object' },
      privateJwk: { bsonType: 'object', required: ['keyId', 'nonce', 'ciphertext'] },
      activeFrom: { bsonType: ['date', 'null'] },
      retiresAt: { bsonType: ['date', 'null'] },
    },
  },
  indexes: [
    {
      name: 'generation_uq',
      keys: { generation: 1 },
      options: { unique: true },
      why: 'one key a generation',
    },
    {
      name: 'retiresAt_ttl',
      keys: { retiresAt: 1 },
      options: { expireAfterSeconds: 86_400 },
      why: 'removes keys that sign and verify no longer',
    },
  ],
});
