/**
 * Leases of unreachable workers: they have ended, but the worker may still return. Accesses the same
 * collection as `leases.repository.ts`; times are the store's.
 */
import type { Collection, Document, Filter } from 'mongodb';
import type { StoreTime } from '../../shared/store-time.js';
import { runningLease } from './lease-fields.js';
import type { LeaseDocument, RetainedJob } from '../worker.types.js';

/** Jobs of one worker whose devices stay booked. */
export interface RetainedOfWorker {
  readonly workerId: string;
  readonly jobs: readonly RetainedJob[];
}

type LostLease = Pick<LeaseDocument, '_id' | 'lostAt'>;

const majority = { w: 'majority' } as const;

/** Reads and conditional updates of leases that have ended. */
export class UnreachableLeasesRepository {
  readonly #leases: Collection<LeaseDocument>;
  readonly #now: StoreTime;
  constructor(leases: Collection<LeaseDocument>, now: StoreTime) {
    this.#leases = leases;
    this.#now = now;
  }

  /**
   * Records how long the worker may return, which devices stay booked, and when something follows.
   * @returns false if the worker has returned meanwhile
   */
  async keep(
    lease: LostLease,
    { until, dueAt, retained }: Required<Pick<LeaseDocument, 'until' | 'dueAt' | 'retained'>>,
  ): Promise<boolean> {
    return this.#change(lease, { until, dueAt, ...(retained.length > 0 ? { retained } : {}) });
  }

  /** Sets the next time at which something follows. @returns false if the worker has returned */
  async schedule(lease: LostLease, dueAt: Date): Promise<boolean> {
    return this.#change(lease, { dueAt });
  }

  /** Ends the time in which the worker may return. @returns false if it has returned */
  async end(lease: LostLease): Promise<boolean> {
    return this.#change(lease, { isFinal: true });
  }

  /** Makes the lease of a worker that returned valid again. @returns false if the worker may not return */
  async revive(workerId: string, leaseSeconds: number): Promise<boolean> {
    const result = await this.#leases.updateOne(
      { _id: workerId, lostAt: { $exists: true }, isFinal: { $exists: false } },
      [
        { $set: runningLease(this.#now, leaseSeconds) },
        { $unset: ['lostAt', 'lostReason', 'dueAt', 'until'] },
      ],
      { writeConcern: majority },
    );
    return result.modifiedCount === 1;
  }

  /** Releases the devices of jobs whose payloads have ended or are held under a new fence. */
  async release(workerId: string, grants: readonly Pick<RetainedJob, 'jobId' | 'fence'>[]): Promise<void> {
    if (grants.length === 0) return;
    const kept: Document = {
      $filter: {
        input: { $ifNull: ['$retained', []] },
        cond: { $not: [{ $in: ['$$this.fence', { $literal: grants.map(({ fence }) => fence) }] }] },
      },
    };
    await this.#leases.updateOne(
      { _id: workerId, retained: { $exists: true } },
      [{ $set: { retained: { $cond: [{ $eq: [kept, []] }, '$$REMOVE', kept] } } }],
      { writeConcern: majority },
    );
  }

  /** Devices that stay booked, of all workers. */
  async retained(): Promise<readonly RetainedOfWorker[]> {
    const found = await this.#leases
      .find({ retained: { $exists: true } }, { hint: 'retained_idx' })
      .project<Pick<LeaseDocument, '_id' | 'retained'>>({ retained: 1 })
      .toArray();
    return found.map(({ _id, retained = [] }) => ({ workerId: _id, jobs: retained }));
  }

  async #change(lease: LostLease, fields: Partial<LeaseDocument>): Promise<boolean> {
    const filter: Filter<LeaseDocument> = {
      _id: lease._id,
      lostAt: lease.lostAt ?? { $exists: true },
      isFinal: { $exists: false },
    };
    const result = await this.#leases.updateOne(filter, { $set: fields }, { writeConcern: majority });
    return result.matchedCount === 1;
  }
}
