/**
 * Access to the collection of worker leases; those that have ended have repositories of their own. Times are
 * the store's, so clocks of processes need not agree.
 */
import type { AnyBulkWriteOperation, Collection, Document } from 'mongodb';
import type { StoreTime } from '../../shared/store-time.js';
import { workerSchemaVersion } from '../worker.document.js';
import { lostLease, runningLease } from './lease-fields.js';
import type { DeviceUse, HeldJob, LeaseDocument, LeaseTerms, Digests } from '../worker.types.js';

/** A heartbeat. */
export interface Renewal {
  readonly workerId: string;
  readonly leaseSeconds: number;
  readonly jobs: readonly HeldJob[];
  /** If left out, the use that was reported before stays. */
  readonly deviceUse?: readonly DeviceUse[];
  /** Digests of the facts in this report. */
  readonly digests?: Digests;
}

const majority = { w: 'majority' } as const;

/** Reads and writes worker leases. */
export class LeasesRepository {
  readonly #leases: Collection<LeaseDocument>;
  readonly #now: StoreTime;
  constructor(leases: Collection<LeaseDocument>, now: StoreTime) {
    this.#leases = leases;
    this.#now = now;
  }

  /** Creates the first lease of a worker. */
  async open(
    workerId: string,
    queueId: string,
    leaseSeconds: number,
    { deviceUse = [], digests = {} }: Pick<Renewal, 'deviceUse' | 'digests'> = {},
  ): Promise<LeaseDocument> {
    const reported = Object.fromEntries(
      Object.entries(digests).map(([part, digest]) => [part, { digest, version: 1 }]),
    );
    const fresh = {
      _id: workerId,
      schemaVersion: workerSchemaVersion,
      revision: 1,
      queueId,
      jobs: [],
      deviceUse,
      reportVersions: reported,
    };
    const stored = await this.#leases.findOneAndUpdate(
      { _id: workerId },
      [
        {
          $replaceWith: {
            $mergeObjects: [
              { $literal: fresh },
              { createdAt: this.#now() },
              runningLease(this.#now, leaseSeconds),
            ],
          },
        },
      ],
      { upsert: true, returnDocument: 'after', writeConcern: majority },
    );
    if (!stored) throw new Error(`lease of ${workerId} was not stored`);
    return stored;
  }

  /** Renews many leases in one call. A lost lease stays unchanged: read the leases to see which are lost. */
  async renew(renewals: readonly Renewal[]): Promise<void> {
    const operations = renewals.map(
      ({ workerId, leaseSeconds, jobs, deviceUse, digests }): AnyBulkWriteOperation<LeaseDocument> => ({
        updateOne: {
          filter: { _id: workerId, lostAt: { $exists: false } },
          update: [
            {
              $set: {
                ...runningLease(this.#now, leaseSeconds),
                jobs: { $literal: jobs },
                ...(deviceUse ? { deviceUse: { $literal: deviceUse } } : {}),
                ...reportedFacts(digests ?? {}),
                revision: { $add: ['$revision', 1] },
              },
            },
          ],
        },
      }),
    );
    await this.#leases.bulkWrite(operations, { ordered: false, writeConcern: majority });
  }

  /** The part of leases that a heartbeat needs for its answer: without jobs and device use. */
  findTerms(workerIds: readonly string[]): Promise<LeaseTerms[]> {
    return this.#leases
      .find({ _id: { $in: [...workerIds] } })
      .project<LeaseTerms>({
        expiresAt: 1,
        reportVersions: 1,
        lostAt: 1,
        lostReason: 1,
        isFinal: 1,
        retained: 1,
      })
      .toArray();
  }

  /** Leases by worker. */
  findMany(workerIds: readonly string[]): Promise<LeaseDocument[]> {
    return this.#leases.find({ _id: { $in: [...workerIds] } }).toArray();
  }

  /** Times of the last heartbeats of workers. */
  async seenAt(workerIds: readonly string[]): Promise<ReadonlyMap<string, Date>> {
    const found = this.#leases
      .find({ _id: { $in: [...workerIds] } })
      .project<Pick<LeaseDocument, '_id' | 'updatedAt'>>({ updatedAt: 1 })
      .batchSize(10_000);
    const seen = new Map<string, Date>();
    for await (const { _id, updatedAt } of found) seen.set(_id, updatedAt);
    return seen;
  }

  /**
   * Marks leases as lost for good, if they are not yet: their workers were replaced, or have ended.
   */
  async lose(
    workerIds: readonly string[],
    reason: string,
    end: Pick<LeaseDocument, 'hasEnded' | 'hasRestarted'> = {},
  ): Promise<void> {
    await this.#leases.updateMany(
      { _id: { $in: [...workerIds] }, isFinal: { $exists: false } },
      [{ $set: { ...lostLease(this.#now, reason), isFinal: true, ...end } }],
      { writeConcern: majority },
    );
  }

  /**
   * Makes leases final and due that a leader of an earlier version has lost and not removed: workers could
   * not return then. May run again at any time. @returns true if there were any
   */
  async finishFormerLosses(): Promise<boolean> {
    const result = await this.#leases.updateMany(
      { lostAt: { $exists: true }, dueAt: { $exists: false } },
      [{ $set: { dueAt: '$lostAt', isFinal: true } }],
      { writeConcern: majority },
    );
    return result.modifiedCount > 0;
  }

  /** Jobs of the latest heartbeats of workers, with the revisions of their leases. */
  findHeldJobs(workerIds: readonly string[]): Promise<Pick<LeaseDocument, '_id' | 'revision' | 'jobs'>[]> {
    return this.#leases
      .find({ _id: { $in: [...workerIds] } })
      .project<Pick<LeaseDocument, '_id' | 'revision' | 'jobs'>>({ revision: 1, jobs: 1 })
      .toArray();
  }

  /** Lost leases for which something follows now. */
  findLost(limit: number): Promise<LeaseDocument[]> {
    return this.#leases
      .find({ dueAt: { $exists: true }, $expr: { $lte: ['$dueAt', this.#now()] } }, { hint: 'dueAt_idx' })
      .sort({ dueAt: 1 })
      .limit(limit)
      .toArray();
  }

  /** Removes a lost lease after its jobs were requeued. */
  async remove(workerId: string): Promise<void> {
    await this.#leases.deleteOne({ _id: workerId, lostAt: { $exists: true } });
  }

  /** Removes the lease of a worker whose registration failed. */
  async discard(workerId: string): Promise<void> {
    await this.#leases.deleteOne({ _id: workerId });
  }
}

/** A digest that differs from the previous one starts the next version. */
function reportedFacts(digests: Digests): Document {
  const fields = Object.entries(digests).map(([part, digest]) => {
    const before = `$reportVersions.${part}`;
    const next = { digest, version: { $add: [{ $ifNull: [`${before}.version`, 0] }, 1] } };
    return [
      `reportVersions.${part}`,
      { $cond: [{ $eq: [`${before}.digest`, digest] }, before, next] },
    ] as const;
  });
  return Object.fromEntries(fields);
}
