/** Stored elevations: roles that a person took for a short time, with the reason. */
import { type Role, roles } from '@rhizome/authz';
import { baseFields, defineCollection } from '@rhizome/mongo';

/** An elevation. It is kept after its end, as a record. */
export interface ElevationDocument {
  /** `elv_…`; also the login of its token. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly principalId: string;
  /** The login or exchange whose token started it, and which ends it; null for a token of another issuer. */
  readonly login: string | null;
  readonly experiment: string;
  readonly roles: readonly Role[];
  readonly reason: string;
  readonly expiresAt: Date;
  /** Null unless somebody ended it before. */
  readonly endedAt: Date | null;
  readonly endedBy: string | null;
}

const text = { bsonType: 'string' };

/** Elevations. */
export const elevationsCollection = defineCollection<ElevationDocument>({
  name: 'elevations',
  schemaVersion: 1,
  validator: {
    required: [
      ...['revision', 'createdAt', 'updatedAt', 'principalId', 'experiment', 'roles', 'reason'],
      ...['login', 'expiresAt', 'endedAt', 'endedBy'],
    ],
    properties: {
      ...baseFields,
      principalId: text,
      login: { bsonType: ['string', 'null'] },
      experiment: text,
      roles: { bsonType: 'array', minItems: 1, maxItems: roles.length, items: { enum: [...roles] } },
      reason: text,
      expiresAt: { bsonType: 'date' },
      endedAt: { bsonType: ['date', 'null'] },
      endedBy: { bsonType: ['string', 'null'] },
    },
  },
  indexes: [
    {
      name: 'principalId_expiresAt_idx',
      keys: { principalId: 1, expiresAt: 1 },
      why: 'the elevations of a principal that are active',
    },
    {
      name: 'login_expiresAt_idx',
      keys: { login: 1, expiresAt: 1 },
      why: 'the elevations that end with a login',
    },
    {
      name: 'experiment_idx',
      keys: { experiment: 1, createdAt: -1 },
      why: 'the elevations of an experiment',
    },
  ],
});
