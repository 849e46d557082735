/** Stored document of the use of one schema element by one client on one day. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Counted use. */
export interface FieldUseDocument {
  /** Coordinate, day, client and version, joined by `|`. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** `Type`, `Type.field` or `Type.field(argument:)`. */
  readonly coordinate: string;
  /** Parent type of the schema element. */
  readonly type: string;
  /** Day in UTC, e.g. `2030-05-17`. */
  readonly usedOn: string;
  readonly client: string;
  readonly clientVersion: string;
  readonly requests: number;
}

/** Number of days for which use is kept. */
const useKeptDays = 100;

const text = (maxLength: number) => ({ bsonType: 'string', maxLength });

/** Use of the last hundred days. */
export const fieldUsesCollection = defineCollection<FieldUseDocument>({
  name: 'fieldUses',
  schemaVersion: 1,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'coordinate',
      'type',
      'usedOn',
      'client',
      'clientVersion',
      'requests',
    ],
    properties: {
      ...baseFields,
      revision: { bsonType: ['int', 'long'], minimum: 1 },
      coordinate: text(1000),
      type: text(500),
      usedOn: { bsonType: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' },
      client: text(64),
      clientVersion: text(64),
      requests: { bsonType: ['int', 'long', 'double'], minimum: 0 },
    },
  },
  indexes: [
    {
      name: 'createdAt_ttl',
      keys: { createdAt: 1 },
      options: { expireAfterSeconds: useKeptDays * 86_400 },
      why: 'removes old use',
    },
    {
      name: 'coordinate_usedOn_idx',
      keys: { coordinate: 1, usedOn: 1 },
      why: 'use of a schema element, since a day',
    },
    {
      name: 'type_usedOn_idx',
      keys: { type: 1, usedOn: 1 },
      why: 'use of all elements of a type, since a day',
    },
  ],
});
