/** The only code that touches the collection of workers' leases. Times are the store's: clocks of processes need not agree. */
import type { AnyBulkWriteOperation, Collection, Document } from 'mongodb';
import type { StoreTime } from '../../shared/store-time.js';
import { workerSchemaVersion } from '../worker.document.js';
import type { DeviceUse, HeldJob, LeaseDocument, LeaseTerms, Digests } from '../worker.types.js';

/** A sign of life. */
export interface Renewal {
  readonly workerId: string;
  readonly leaseSeconds: number;
  readonly jobs: readonly HeldJob[];
  /** Left out: what was told before stays. */
  readonly deviceUse?: readonly DeviceUse[];
  /** Of the facts that are reported with it. */
  readonly digests?: Digests;
}

const majority = { w: 'majority' } as const;

/** See the head of this file. */
export class LeasesRepository {
  readonly #leases: Collection<LeaseDocument>;
  readonly #now: StoreTime;
  constructor(leases: Collection<LeaseDocument>, now: StoreTime) {
    this.#leases = leases;
    this.#now = now;
  }

  /** Gives a worker its first lease. */
  async open(
    workerId: string,
    queueId: string,
    leaseSeconds: number,
    { deviceUse = [], digests = {} }: Pick<Renewal, 'deviceUse' | 'digests'> = {},
  ): Promise<LeaseDocument> {
    const told = Object.fromEntries(
      Object.entries(digests).map(([part, digest]) => [part, { digest, version: 1 }]),
    );
    const fresh = {
      _id: workerId,
      schemaVersion: workerSchemaVersion,
      revision: 1,
      queueId,
      jobs: [],
      deviceUse,
      told,
    };
    const stored = await this.#leases.findOneAndUpdate(
      { _id: workerId },
      [
        {
          $replaceWith: {
            $mergeObjects: [{ $literal: fresh }, { createdAt: this.#now() }, this.#alive(leaseSeconds)],
          },
        },
      ],
      { upsert: true, returnDocument: 'after', writeConcern: majority },
    );
    if (!stored) throw new Error(`lease of ${workerId} was not stored`);
    return stored;
  }

  /** Renews many leases in one call. A lease that was lost stays as it is: read them to see which. */
  async renew(renewals: readonly Renewal[]): Promise<void> {
    const operations = renewals.map(
      ({ workerId, leaseSeconds, jobs, deviceUse, digests }): AnyBulkWriteOperation<LeaseDocument> => ({
        updateOne: {
          filter: { _id: workerId, lostAt: { $exists: false } },
          update: [
            {
              $set: {
                ...this.#alive(leaseSeconds),
                jobs: { $literal: jobs },
                ...(deviceUse ? { deviceUse: { $literal: deviceUse } } : {}),
                ...toldFacts(digests ?? {}),
                revision: { $add: ['$revision', 1] },
              },
            },
          ],
        },
      }),
    );
    await this.#leases.bulkWrite(operations, { ordered: false, writeConcern: majority });
  }

  /** What a sign of life is answered by: neither jobs nor use, which it has told itself. */
  findTerms(workerIds: readonly string[]): Promise<LeaseTerms[]> {
    return this.#leases
      .find({ _id: { $in: [...workerIds] } })
      .project<LeaseTerms>({ expiresAt: 1, told: 1, lostAt: 1, lostReason: 1 })
      .toArray();
  }

  /** Leases by worker. */
  findMany(workerIds: readonly string[]): Promise<LeaseDocument[]> {
    return this.#leases.find({ _id: { $in: [...workerIds] } }).toArray();
  }

  /** When these workers were last heard of. */
  async seenAt(workerIds: readonly string[]): Promise<ReadonlyMap<string, Date>> {
    const found = this.#leases
      .find({ _id: { $in: [...workerIds] } })
      .project<Pick<LeaseDocument, '_id' | 'updatedAt'>>({ updatedAt: 1 })
      .batchSize(10_000);
    const seen = new Map<string, Date>();
    for await (const { _id, updatedAt } of found) seen.set(_id, updatedAt);
    return seen;
  }

  /** Lets no renewal follow. @returns whether the lease was there and had not been lost before */
  async lose(workerId: string, reason: string): Promise<boolean> {
    const result = await this.#leases.updateOne(
      { _id: workerId, lostAt: { $exists: false } },
      this.#loss(reason),
      { writeConcern: majority },
    );
    return result.modifiedCount === 1;
  }

  /** Lets no renewal follow if the lease has ended. @returns whether it had, and had not been lost before */
  async loseIfExpired(workerId: string, reason: string): Promise<boolean> {
    const result = await this.#leases.updateOne(
      { _id: workerId, $expr: { $lte: ['$expiresAt', this.#now()] }, lostAt: { $exists: false } },
      this.#loss(reason),
      { writeConcern: majority },
    );
    return result.modifiedCount === 1;
  }

  /** Marks all leases that have ended as lost: one conditional update for all of them. */
  async loseExpired(): Promise<number> {
    const result = await this.#leases.updateMany(
      { $expr: { $lte: ['$expiresAt', this.#now()] }, lostAt: { $exists: false } },
      this.#loss('it was not heard of until its lease ended'),
      { writeConcern: majority },
    );
    return result.modifiedCount;
  }

  /** Lost leases, whose jobs are to go back. */
  findLost(limit: number): Promise<LeaseDocument[]> {
    return this.#leases
      .find({ lostAt: { $exists: true } }, { hint: 'lostAt_idx' })
      .sort({ lostAt: 1 })
      .limit(limit)
      .toArray();
  }

  /** Removes a lost lease once its jobs have gone back. */
  async remove(workerId: string): Promise<void> {
    await this.#leases.deleteOne({ _id: workerId, lostAt: { $exists: true } });
  }

  /** Removes the lease of a worker that came to nothing. */
  async discard(workerId: string): Promise<void> {
    await this.#leases.deleteOne({ _id: workerId });
  }

  #alive(leaseSeconds: number): Document {
    return { updatedAt: this.#now(), expiresAt: { $add: [this.#now(), leaseSeconds * 1000] } };
  }

  #loss(reason: string): Document[] {
    return [
      {
        $set: { lostAt: this.#now(), lostReason: { $literal: reason }, revision: { $add: ['$revision', 1] } },
      },
    ];
  }
}

/** Another digest than the one before begins the next version. */
function toldFacts(digests: Digests): Document {
  const fields = Object.entries(digests).map(([part, digest]) => {
    const before = `$told.${part}`;
    const next = { digest, version: { $add: [{ $ifNull: [`${before}.version`, 0] }, 1] } };
    return [`told.${part}`, { $cond: [{ $eq: [`${before}.digest`, digest] }, before, next] }] as const;
  });
  return Object.fromEntries(fields);
}
