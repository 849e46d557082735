/** Stored form of the access of a person or a group to jobs of others. */
import { baseFields, defineCollection } from '@rhizome/mongo';

/** Levels of access: READ shows variables of the payload, MANAGE also changes jobs. */
export const accessLevels = ['READ', 'MANAGE'] as const;

/** One of {@link accessLevels}. */
export type AccessLevel = (typeof accessLevels)[number];

/** Jobs of an access: at most one of job, task and share is set. */
export interface AccessedJobs {
  readonly experiment: string;
  /** Null for all owners, of a share only. */
  readonly owner: string | null;
  readonly jobId: string | null;
  readonly taskId: string | null;
  /** `experiment/leaf` */
  readonly share: string | null;
}

/** Holder of an access: one of both is set. */
export interface AccessHolder {
  /** Subject of a person or a service. */
  readonly grantee: string | null;
  readonly groupId: string | null;
}

/** Parts that identify an access. */
export type AccessKey = AccessedJobs & AccessHolder;

/** Access to jobs of others. */
export interface AccessGrantDocument extends AccessKey {
  /** `access_…` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly level: AccessLevel;
  readonly reason: string | null;
  readonly grantedBy: string;
  /** Also set to the time at which the access was revoked. */
  readonly expiresAt: Date;
}

const text = { bsonType: 'string' };
const textOrNull = { bsonType: ['string', 'null'] };

/** Access grants. Their time decides; the store deletes ended ones a day later, when no process uses them. */
export const accessGrantsCollection = defineCollection<AccessGrantDocument>({
  name: 'accessGrants',
  schemaVersion: 1,
  validator: {
    required: [
      ...['revision', 'createdAt', 'updatedAt', 'experiment', 'owner', 'jobId', 'taskId', 'share'],
      ...['grantee', 'groupId', 'level', 'reason', 'grantedBy', 'expiresAt'],
    ],
    properties: {
      ...baseFields,
      experiment: text,
      owner: textOrNull,
      jobId: textOrNull,
      taskId: textOrNull,
      share: textOrNull,
      grantee: textOrNull,
      groupId: textOrNull,
      level: { enum: [...accessLevels] },
      reason: textOrNull,
      grantedBy: text,
      expiresAt: { bsonType: 'date' },
    },
  },
  indexes: [
    {
      name: 'experiment_owner_target_holder_uq',
      keys: { experiment: 1, owner: 1, jobId: 1, taskId: 1, share: 1, grantee: 1, groupId: 1 },
      options: { unique: true },
      why: 'one access of a holder to the same jobs; the number of an owner; those in an experiment',
    },
    { name: 'owner_idx', keys: { owner: 1 }, why: 'the accesses to the jobs of an owner' },
    { name: 'grantee_idx', keys: { grantee: 1 }, why: 'the accesses that a person has' },
    { name: 'groupId_idx', keys: { groupId: 1 }, why: 'the accesses that a group has' },
    {
      name: 'expiresAt_ttl',
      keys: { expiresAt: 1 },
      options: { expireAfterSeconds: 86_400 },
      why: 'none: grants are deleted after they end',
    },
  ],
});
