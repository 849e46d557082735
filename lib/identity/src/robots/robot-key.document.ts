/** Stored public keys of robots. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** A public key in the form of RFC 7517, without other members. */
export type PublicKey =
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };

/** A key with which a robot shows who it is. */
export interface RobotKeyDocument {
  /** `rbk_…`; the tokens that follow from the key are its family. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly robotId: string;
  readonly thumbprint: string;
  readonly publicKey: PublicKey;
  readonly expiresAt: Date;
  /** Null unless somebody ended it. */
  readonly endedAt: Date | null;
  readonly endedBy: string | null;
  readonly lastUsedAt: Date | null;
  readonly createdBy: string;
}

const text = { bsonType: 'string' };
const dateOrNull = { bsonType: ['date', 'null'] };

/** Keys of robots. */
export const robotKeysCollection = defineCollection<RobotKeyDocument>({
  name: 'robotKeys',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'robotId',
      'thumbprint',
      'publicKey',
      'expiresAt',
      'endedAt',
      'createdBy',
    ],
    properties: {
      ...baseFields,
      robotId: text,
      thumbprint: text,
      publicKey: { bsonType: 'object' },
      expiresAt: { bsonType: 'date' },
      endedAt: dateOrNull,
      endedBy: { bsonType: ['string', 'null'] },
      lastUsedAt: dateOrNull,
      createdBy: text,
    },
  },
  indexes: [
    {
      name: 'thumbprint_uq',
      keys: { thumbprint: 1 },
      options: { unique: true },
      why: 'a key is one of one robot, and is not registered again after its end',
    },
    { name: 'robotId_createdAt_idx', keys: { robotId: 1, createdAt: -1 }, why: 'the keys of a robot' },
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 30 * 86_400 },
      why: 'removes keys a month after their end',
    },
  ],
});
