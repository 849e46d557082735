import { baseFields, defineCollection } from '@rhizome/mongo';
import { retention } from '../../shared/retention.js';

/**
 * Job that a retry with dependents copies. The members are recorded before the first copy is made: a copy
 * waits for the copies of its parents, which therefore must be known and must be written first.
 */
export interface RetryMemberDocument {
  /** `<operation>/<job>` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly createdAt: Date;
  readonly operationId: string;
  readonly jobId: string;
  /** True if its own dependents are members, too. */
  readonly isExpanded: boolean;
}

/** Members of retries in progress. */
export const retryMembersCollection = defineCollection<RetryMemberDocument>({
  name: 'retryMembers',
  schemaVersion: 1,
  validator: {
    required: ['createdAt', 'operationId', 'jobId', 'isExpanded'],
    properties: {
      ...baseFields,
      operationId: { bsonType: 'string' },
      jobId: { bsonType: 'string' },
      isExpanded: { bsonType: 'bool' },
    },
  },
  indexes: [
    {
      name: 'operationId_isExpanded_jobId_idx',
      keys: { operationId: 1, isExpanded: 1, jobId: 1 },
      why: 'members whose dependents are unknown, and all members in the order of their ids',
    },
    {
      name: 'createdAt_ttl',
      keys: { createdAt: 1 },
      options: { expireAfterSeconds: retention.bulkOperation },
      why: 'none: members are deleted at the end of the retry; those of an interrupted deletion expire',
    },
  ],
});
