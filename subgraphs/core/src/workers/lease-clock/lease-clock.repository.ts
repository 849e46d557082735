/** The only code that accesses the collections of the lease clock and of the gateways' reports. */
import { isDuplicateKey } from '@rhizome/mongo';
import type { Collection, Document, Filter } from 'mongodb';
import type { StoreTime } from '../../shared/store-time.js';
import type { LeaseDocument } from '../worker.types.js';
import type { GatewayReportDocument, LeaseClockDocument, LeaseClockRecord } from './lease-clock.types.js';

/** The stored clock, as read at a time of the store's clock. */
export interface ReadClock {
  readonly clock: LeaseClockDocument;
  readonly now: Date;
}

/**
 * Longest time for a write or a read of the clock, in milliseconds. One that takes longer has failed: the
 * clock stops.
 */
const timeoutMs = 5000;

/** Work of a scan. */
export interface LeaseSurvey {
  /** Time of the latest report of a gateway that accepts pilots; undefined if there is none. */
  readonly acceptedAt: Date | undefined;
  /** Leases are over by the time of the store that are not lost. Pauses of the clock may prolong them. */
  readonly hasEnded: boolean;
  /** Something follows now for leases that have ended. */
  readonly hasDue: boolean;
  /** Devices of jobs that were given away stay booked. */
  readonly hasRetained: boolean;
}

interface SurveyPart {
  readonly part: 'accepted' | 'ended' | 'due' | 'retained';
  readonly at?: Date;
}

/** Reads and writes the lease clock. */
export class LeaseClockRepository {
  readonly #clocks: Collection<LeaseClockDocument>;
  readonly #reports: Collection<GatewayReportDocument>;
  readonly #leases: Pick<Collection<LeaseDocument>, 'collectionName'>;
  readonly #now: StoreTime;

  constructor(
    clocks: Collection<LeaseClockDocument>,
    reports: Collection<GatewayReportDocument>,
    leases: Pick<Collection<LeaseDocument>, 'collectionName'>,
    now: StoreTime,
  ) {
    this.#clocks = clocks;
    this.#reports = reports;
    this.#leases = leases;
    this.#now = now;
  }

  /**
   * Proves that a majority of the store accepts writes of this term, and records the state. A term begins
   * without a record: the state of the term before stays.
   * @returns the clock, whose `updatedAt` is the time of the write; undefined if a later term has begun
   */
  async beat(epoch: number, record: LeaseClockRecord | undefined): Promise<LeaseClockDocument | undefined> {
    const now = this.#now();
    const first = {
      schemaVersion: 1,
      createdAt: now,
      state: 'RUNNING',
      since: now,
      silentWorkers: 0,
      workers: 0,
    };
    const stored: Document = {
      ...(record && literals(record)),
      epoch,
      updatedAt: now,
      revision: { $add: [{ $ifNull: ['$revision', 0] }, 1] },
    };
    try {
      const clock = await this.#clocks.findOneAndUpdate(
        { _id: 'leases', epoch: { $not: { $gt: epoch } } },
        [{ $set: { ...withDefaults(first), ...stored } }],
        { upsert: true, returnDocument: 'after', writeConcern: { w: 'majority' }, timeoutMS: timeoutMs },
      );
      return clock ?? undefined;
    } catch (error) {
      // A document with a later epoch exists, so that none was found and one with the same id not inserted.
      if (isDuplicateKey(error)) return undefined;
      throw error;
    }
  }

  /** The clock with the time of the store; undefined before the first term. */
  async read(): Promise<ReadClock | undefined> {
    const [found] = await this.#clocks
      .aggregate<LeaseClockDocument & { now: Date }>(
        [{ $match: { _id: 'leases' } }, { $addFields: { now: this.#now() } }],
        { timeoutMS: timeoutMs },
      )
      .toArray();
    return found && { clock: found, now: found.now };
  }

  /** Stores the report of a gateway. @returns its time */
  async report(gateway: string, isAcceptingPilots: boolean): Promise<Date> {
    const now = this.#now();
    const stored = await this.#reports.findOneAndUpdate(
      { _id: gateway },
      [
        {
          $set: {
            schemaVersion: 1,
            createdAt: { $ifNull: ['$createdAt', now] },
            updatedAt: now,
            revision: { $add: [{ $ifNull: ['$revision', 0] }, 1] },
            isAcceptingPilots,
          },
        },
      ],
      { upsert: true, returnDocument: 'after', projection: { updatedAt: 1 }, timeoutMS: timeoutMs },
    );
    if (!stored) throw new Error(`report of ${gateway} was not stored`);
    return stored.updatedAt;
  }

  /** Finds in one call what there is to do at a time: usually nothing. Each part uses an index. */
  async survey(now: Date): Promise<LeaseSurvey> {
    const leases = this.#leases;
    const any = (part: string, condition: Filter<LeaseDocument>): Document => ({
      $unionWith: {
        coll: leases.collectionName,
        pipeline: [{ $match: condition }, { $limit: 1 }, { $project: { _id: 0, part } }],
      },
    });
    const found = await this.#reports
      .aggregate<SurveyPart>(
        [
          { $match: { isAcceptingPilots: true } },
          { $sort: { updatedAt: -1 } },
          { $limit: 1 },
          { $project: { _id: 0, part: 'accepted', at: '$updatedAt' } },
          any('ended', { expiresAt: { $lte: now }, lostAt: { $exists: false } }),
          any('due', { dueAt: { $exists: true, $lte: now } }),
          any('retained', { retained: { $exists: true }, 'retained.until': { $gt: new Date(0) } }),
        ],
        { timeoutMS: timeoutMs },
      )
      .toArray();
    const has = (part: SurveyPart['part']): boolean => found.some((one) => one.part === part);
    return {
      acceptedAt: found.find(({ part }) => part === 'accepted')?.at,
      hasEnded: has('ended'),
      hasDue: has('due'),
      hasRetained: has('retained'),
    };
  }

  /** Latest reports of gateways, the newest first. */
  reports(limit: number): Promise<GatewayReportDocument[]> {
    return this.#reports.find().sort({ updatedAt: -1 }).limit(limit).toArray();
  }
}

/** Values that a document keeps once it has them. */
function withDefaults(values: Document): Document {
  return Object.fromEntries(
    Object.entries(values).map(([field, value]) => [field, { $ifNull: [`$${field}`, value] }]),
  );
}

/** Values are stored as they are; those that are not set are removed. */
function literals(record: LeaseClockRecord): Document {
  const { reason, checkedAt, postponement, ...always } = record;
  const all = { reason, checkedAt, postponement, ...always };
  return Object.fromEntries(
    Object.entries(all).map(([field, value]) => [
      field,
      value === undefined ? '$$REMOVE' : { $literal: value },
    ]),
  );
}
