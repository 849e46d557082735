import { baseFields, defineCollection } from '@rhizome/mongo';
import { retention } from '../../shared/retention.js';
import type { BulkKind, BulkParameters, BulkRefusal, BulkRequester } from './bulk.types.js';
import type { JobCriteria } from '../model/job-filter.js';

/**
 * A change of many jobs that is recorded: because it goes on in the background, or because its key must give the same answer again.
 * It is done page by page; the page under way is noted before it is begun, so that whoever resumes counts each job once.
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
  /** SHA-256 of the input, where there is a key. */
  readonly digest?: string;
  /** Which jobs, where not all ids are in `page` from the start. */
  readonly criteria?: JobCriteria;
  readonly visible?: '*' | readonly string[];
  /** Jobs beyond this id came later and are left alone. */
  readonly upTo?: string;
  readonly isBackground: boolean;
  readonly totalCount: number;
  /** Everything up to this id is done. */
  readonly position?: string;
  /** Ids under way. */
  readonly page?: readonly string[];
  readonly changedCount: number;
  readonly refusedCount: number;
  /** Numbers of refused jobs by code. */
  readonly refusedByReason: Readonly<Record<string, number>>;
  /** The first 100. */
  readonly refusals: readonly BulkRefusal[];
  /** What was changed; not of background operations. */
  readonly changedIds?: readonly string[];
  readonly endedAt?: Date;
  /** Who works on it, until when nobody else does. */
  readonly runner?: { readonly id: string; readonly until: Date };
}

/** Recorded changes of many jobs. */
export const bulkOperationsCollection = defineCollection<BulkOperationDocument>({
  name: 'bulkOperations',
  schemaVersion: 1,
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
      why: 'a change that is asked for again with its key',
    },
    {
      name: 'state_idx',
      keys: { state: 1, _id: 1 },
      why: 'changes that are under way, for whoever resumes them',
    },
    {
      name: 'endedAt_ttl',
      keys: { endedAt: 1 },
      options: { expireAfterSeconds: retention.bulkOperation },
      why: 'none: changes are forgotten, with their keys, 30 days after their end; those under way have no such time',
    },
  ],
});
