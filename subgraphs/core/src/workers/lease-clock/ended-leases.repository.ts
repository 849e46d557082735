/** Leases that have ended by the lease clock: its access to the collection of worker leases. */
import type { Collection, Filter } from 'mongodb';
import type { StoreTime } from '../../shared/store-time.js';
import { lostLease } from '../leases/lease-fields.js';
import type { LeaseDocument } from '../worker.types.js';
import type { Pauses } from './pauses.js';

/** Number of ended leases that are not lost, and the length of the longest of them. */
export interface EndedLeases {
  readonly count: number;
  readonly leaseMs: number;
}

/** Counts and loses ended leases. */
export class EndedLeasesRepository {
  readonly #leases: Collection<LeaseDocument>;
  readonly #now: StoreTime;

  constructor(leases: Collection<LeaseDocument>, now: StoreTime) {
    this.#leases = leases;
    this.#now = now;
  }

  /** Leases that ended until a time of the lease clock, and are not lost. */
  async count(until: Date, pauses: Pauses): Promise<EndedLeases> {
    const [found] = await this.#leases
      .aggregate<EndedLeases>(
        [
          { $match: ended(until, pauses) },
          {
            $group: {
              _id: null,
              count: { $sum: 1 },
              leaseMs: { $max: { $subtract: ['$expiresAt', '$updatedAt'] } },
            },
          },
        ],
        { hint: 'expiresAt_idx' },
      )
      .toArray();
    return { count: found?.count ?? 0, leaseMs: Number(found?.leaseMs ?? 0) };
  }

  /**
   * Marks these leases as lost, in one conditional update: a heartbeat that arrives first keeps its lease.
   * @returns their number
   */
  async lose(until: Date, pauses: Pauses): Promise<number> {
    const reason = 'it sent no heartbeat until its lease ended';
    const result = await this.#leases.updateMany(
      ended(until, pauses),
      [{ $set: lostLease(this.#now, reason) }],
      { writeConcern: { w: 'majority' } },
    );
    return result.modifiedCount;
  }
}

function ended(until: Date, pauses: Pauses): Filter<LeaseDocument> {
  return {
    lostAt: { $exists: false },
    expiresAt: { $lte: until },
    $expr: { $lte: [pauses.endExpression(), until] },
  };
}
