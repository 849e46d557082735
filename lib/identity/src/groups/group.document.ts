/** Stored groups of principals, and their members. */
import { type Role, roles } from '@rhizome/authz';
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Roles that several principals have in an experiment. */
export interface GroupDocument {
  /** `grp_…` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Unique in its experiment. */
  readonly name: string;
  readonly experiment: string;
  readonly roles: readonly Role[];
  /** Time at which the roles of all members end; null for no end. */
  readonly expiresAt: Date | null;
  readonly reason: string | null;
  readonly updatedBy: string;
}

/** A member of a group. */
export interface GroupMemberDocument {
  /** `<principalId>:<groupId>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly principalId: string;
  readonly groupId: string;
  readonly expiresAt: Date | null;
  readonly reason: string | null;
  readonly updatedBy: string;
}

const text = { bsonType: 'string' };
const textOrNull = { bsonType: ['string', 'null'] };
const dateOrNull = { bsonType: ['date', 'null'] };

/** Groups. */
export const groupsCollection = defineCollection<GroupDocument>({
  name: 'groups',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'name', 'experiment', 'roles', 'expiresAt', 'updatedBy'],
    properties: {
      ...baseFields,
      name: text,
      experiment: text,
      roles: { bsonType: 'array', maxItems: roles.length, items: { enum: [...roles] } },
      expiresAt: dateOrNull,
      reason: textOrNull,
      updatedBy: text,
    },
  },
  indexes: [
    {
      name: 'experiment_name_uq',
      keys: { experiment: 1, name: 1 },
      options: { unique: true },
      why: 'one group of a name in an experiment',
    },
  ],
});

/** Members of groups. */
export const groupMembersCollection = defineCollection<GroupMemberDocument>({
  name: 'groupMembers',
  schemaVersion: 1,
  validator: {
    required: ['revision', 'createdAt', 'updatedAt', 'principalId', 'groupId', 'expiresAt', 'updatedBy'],
    properties: {
      ...baseFields,
      principalId: text,
      groupId: text,
      expiresAt: dateOrNull,
      reason: textOrNull,
      updatedBy: text,
    },
  },
  indexes: [
    { name: 'principalId_idx', keys: { principalId: 1 }, why: 'the groups of a principal' },
    { name: 'groupId_idx', keys: { groupId: 1, _id: 1 }, why: 'the members of a group, in pages' },
  ],
});
