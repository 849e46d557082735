import { baseFields, defineCollection } from '@rhizome/mongo';
import { retention } from '../../shared/retention.js';
import type { BulkKind, BulkParameters, BulkRefusal, BulkRequester } from './bulk.types.js';
import type { JobCriteria } from '../model/job-filter.js';

/**
 * Recorded change of many jobs. A change is recorded if it continues in the background, or if its idempotency
 * key must return the same answer again. It is applied page by page. Each page is recorded before it starts,
 * so that a process that resumes the operation counts each job once.
 */
export interface BulkOperationDocument {
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly kind: BulkKind;
  readonly state: 'RUNNING' | 'DONE';
  readonly requester: BulkRequester;
  readonly parameters: BulkParameters;
  /** `<subject>/<kind>/<idempotency key>` */
  readonly key?: string;
  /** SHA-256 of the input; present if there is a key. */
  readonly digest?: string;
  /** Selection of the jobs; absent if `page` has all ids from the start. */
  readonly criteria?: JobCriteria;
  readonly visible?: '*' | readonly string[];
  /** Jobs with larger ids were submitted later and are not changed. */
  readonly upTo?: string;
  readonly isBackground: boolean;
  readonly totalCount: number;
  /** True if all jobs of a retry with dependents are known; see `retry-member.document.ts`. */
  readonly isCollected?: boolean;
  /** Last id that is done; all smaller ids are done, too. */
  readonly position?: string;
  /** Ids in progress. */
  readonly page?: readonly string[];
  readonly changedCount: number;
  readonly refusedCount: number;
  /** Number of refused jobs by code. */
  readonly refusedByReason: Readonly<Record<string, number>>;
  /** First 100 refused jobs. */
  readonly refusals: readonly BulkRefusal[];
  /** Changed jobs; absent for background operations. */
  readonly changedIds?: readonly string[];
  readonly endedAt?: Date;
  /** Process that works on the operation, and the time at which its claim expires. */
  readonly runner?: { readonly id: string; readonly until: Date };
}

/** Recorded changes of many jobs. */
export const bulkOperationsCollection = defineCollection<BulkOperationDocument>({
  name: 'bulkOperations',
  schemaVersion: 2,
  validator: {
    required: [
      'revision',
      'createdAt',
      'updatedAt',
      'kind',
      'state',
      'requester',
      'parameters',
      'isBackground',
      'totalCount',
      'changedCount',
      'refusedCount',
      'refusedByReason',
      'refusals',
    ],
    properties: {
      ...baseFields,
      kind: { enum: ['CANCEL', 'RETRY', 'HOLD', 'RELEASE', 'SET_PRIORITY'] },
      state: { enum: ['RUNNING', 'DONE'] },
      requester: { bsonType: 'object' },
      parameters: { bsonType: 'object' },
      key: { bsonType: 'string' },
      digest: { bsonType: 'string' },
      criteria: { bsonType: 'object' },
      visible: { bsonType: ['string', 'array'] },
      upTo: { bsonType: 'string' },
      isBackground: { bsonType: 'bool' },
      totalCount: { bsonType: 'int', minimum: 0 },
      isCollected: { bsonType: 'bool' },
      position: { bsonType: 'string' },
      page: { bsonType: 'array', items: { bsonType: 'string' }, maxItems: 10_000 },
      changedCount: { bsonType: 'int', minimum: 0 },
      refusedCount: { bsonType: 'int', minimum: 0 },
      refusedByReason: { bsonType: 'object' },
      refusals: { bsonType: 'array', items: { bsonType: 'object' }, maxItems: 100 },
      changedIds: { bsonType: 'array', items: { bsonType: 'string' }, maxItems: 10_000 },
      endedAt: { bsonType: 'date' },
      runner: { bsonType: 'object' },
    },
  },
  indexes: [
    {
      name: 'key_uq',
      keys: { key: 1 },
      options: { unique: true, partialFilterExpression: { key: { $exists: true } } },
      why: 'a change that is repeated with its key',
    },
    {
      name: 'state_idx',
      keys: { state: 1, _id: 1 },
      why: 'changes in progress, for the process that resumes them',
    },
    {
      name: 'endedAt_ttl',
      keys: { endedAt: 1 },
      options: { expireAfterSeconds: retention.bulkOperation },
      why: 'none: changes and their keys expire 30 days after their end; changes in progress have no expiry',
    },
  ],
});
