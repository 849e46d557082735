import { defineCollection } from '@rhizome/mongo';

/** Key of a published unit, by which a repeated publication is recognised. */
export interface UnitKeyDocument {
  /** Pool and key, see {@link unitKeyId}. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly unitId: string;
  readonly expiresAt: Date;
}

/** Id of the document of a key. */
export function unitKeyId(poolId: string, key: string): string {
  return `${poolId} ${key}`;
}

/** Keys of all pools. */
export const unitKeysCollection = defineCollection<UnitKeyDocument>({
  name: 'unitKeys',
  schemaVersion: 1,
  validator: {
    required: ['unitId', 'expiresAt'],
    properties: { unitId: { bsonType: 'string' }, expiresAt: { bsonType: 'date' } },
  },
  indexes: [
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 0 },
      why: 'removes keys after their time',
    },
  ],
});
