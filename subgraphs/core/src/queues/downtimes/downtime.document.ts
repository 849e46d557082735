/** Stored form of a downtime. */
import { baseFields, defineCollection } from '@rhizome/mongo';
import type { StoredCreation } from '../../shared/idempotency.js';
import { retention } from '../../shared/retention.js';

/** States of a downtime at a time. */
export const downtimeStates = ['PLANNED', 'ACTIVE', 'ENDED', 'CANCELLED'] as const;
/** One of {@link downtimeStates}. */
export type DowntimeState = (typeof downtimeStates)[number];

/** Queue or site that is down: one of both is set. */
export interface DowntimeTarget {
  readonly queue: string | null;
  readonly site: string | null;
}

/** A time in which a queue or a site runs no jobs. */
export interface DowntimeDocument extends DowntimeTarget {
  /** `downtime_…` */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly startsAt: Date;
  readonly endsAt: Date;
  readonly reason: string;
  readonly declaredBy: string;
  /** List that it was imported from, and its id there; absent if it was declared here. */
  readonly source?: string;
  readonly sourceId?: string;
  readonly cancelledAt: Date | null;
  readonly cancelledBy: string | null;
  /** Call that declared it. */
  readonly creation?: StoredCreation;
}

const text = { bsonType: 'string' };
const time = { bsonType: 'date' };

/** Version of the stored form. */
export const downtimeSchemaVersion = 1;

/** Downtimes. There are few, so processes hold them in memory; the store deletes them after their end. */
export const downtimesCollection = defineCollection<DowntimeDocument>({
  name: 'downtimes',
  schemaVersion: downtimeSchemaVersion,
  validator: {
    required: [
      ...['revision', 'createdAt', 'updatedAt', 'queue', 'site', 'startsAt', 'endsAt', 'reason'],
      ...['declaredBy', 'cancelledAt', 'cancelledBy'],
    ],
    properties: {
      ...baseFields,
      queue: { bsonType: ['string', 'null'] },
      site: { bsonType: ['string', 'null'] },
      startsAt: time,
      endsAt: time,
      reason: { bsonType: 'string', maxLength: 500 },
      declaredBy: text,
      source: text,
      sourceId: text,
      cancelledAt: { bsonType: ['date', 'null'] },
      cancelledBy: { bsonType: ['string', 'null'] },
      creation: { bsonType: 'object', required: ['by', 'key', 'digest'] },
    },
  },
  indexes: [
    { name: 'startsAt_idx', keys: { startsAt: 1, _id: 1 }, why: 'pages of downtimes by their start' },
    {
      name: 'source_sourceId_uq',
      keys: { source: 1, sourceId: 1 },
      options: { unique: true, partialFilterExpression: { sourceId: { $exists: true } } },
      why: 'downtimes of an imported list, and one of them',
    },
    {
      name: 'creation_uq',
      keys: { 'creation.by': 1, 'creation.key': 1 },
      options: { unique: true, partialFilterExpression: { 'creation.key': { $exists: true } } },
      why: 'downtime that the call with this key declared',
    },
    {
      name: 'endsAt_ttl',
      keys: { endsAt: 1 },
      options: { expireAfterSeconds: retention.downtime },
      why: 'none: downtimes are removed 30 days after their end',
    },
  ],
});

/** State of a downtime at a time. */
export function stateOf(
  { cancelledAt, startsAt, endsAt }: Pick<DowntimeDocument, 'cancelledAt' | 'startsAt' | 'endsAt'>,
  now: Date,
): DowntimeState {
  if (cancelledAt) return 'CANCELLED';
  if (endsAt <= now) return 'ENDED';
  return startsAt <= now ? 'ACTIVE' : 'PLANNED';
}
