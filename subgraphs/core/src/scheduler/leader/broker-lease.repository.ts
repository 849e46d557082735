/**
 * The document with the broker lease. Each change is one conditional update, so that this document alone
 * decides which process leads.
 */
import { isDuplicateKey } from '@rhizome/mongo';
import type { Collection, Document, Filter } from 'mongodb';
import type { StoreTime } from '../../shared/store-time.js';

/** The stored lease of the broker. */
export interface BrokerLeaseDocument {
  readonly _id: 'broker';
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Id of the process that leads; empty before the first term. */
  readonly holder: string;
  /** Address of the leader for `acquireJobs`; left out if it is alone. */
  readonly url?: string;
  /** Number of the term; grows with each change of leader. */
  readonly epoch: number;
  /** By the clock of the store. */
  readonly expiresAt: Date;
  /** Next fence to allocate. */
  readonly nextFence: number;
}

/** Distance between the fences of grants: fences in between are for reports that invalidate a grant. */
export const fenceStep = 8;

/** Holder of the lease and its epoch. */
export interface LeaseTerm {
  readonly holder: string;
  readonly epoch: number;
}

/** Reads and conditional updates of the broker lease. */
export class BrokerLeaseRepository {
  readonly #leases: Collection<BrokerLeaseDocument>;
  readonly #now: StoreTime;
  readonly #ttlMs: number;
  constructor(leases: Collection<BrokerLeaseDocument>, now: StoreTime, ttlMs: number) {
    this.#leases = leases;
    this.#now = now;
    this.#ttlMs = ttlMs;
  }

  /** Creates the document if it does not exist. */
  async prepare(at: Date): Promise<void> {
    const fresh = {
      schemaVersion: 1,
      revision: 1,
      createdAt: at,
      updatedAt: at,
      holder: '',
      epoch: 0,
      expiresAt: new Date(0),
      nextFence: fenceStep,
    };
    try {
      await this.#leases.updateOne({ _id: 'broker' }, { $setOnInsert: fresh }, { upsert: true });
    } catch (error) {
      // Another process created it at the same moment.
      if (!isDuplicateKey(error)) throw error;
    }
  }

  /**
   * Takes an expired lease under a new epoch. @returns the lease, or undefined while another process holds it
   */
  async acquire(holder: string, url: string | undefined): Promise<BrokerLeaseDocument | undefined> {
    const ended: Filter<BrokerLeaseDocument> = {
      _id: 'broker',
      $expr: { $lte: ['$expiresAt', this.#now()] },
    };
    const taken = await this.#leases.findOneAndUpdate(
      ended,
      [
        this.#renewal({
          holder: { $literal: holder },
          url: url === undefined ? '$$REMOVE' : { $literal: url },
          epoch: { $add: ['$epoch', 1] },
        }),
      ],
      { returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
    return taken ?? undefined;
  }

  /** Extends the lease. @returns false if another process has ended the term */
  async renew(term: LeaseTerm): Promise<boolean> {
    const result = await this.#leases.updateOne(this.#held(term), [this.#renewal({})], {
      writeConcern: { w: 'majority' },
    });
    return result.matchedCount === 1;
  }

  /**
   * Allocates fences and extends the lease, if the term is still current.
   *
   * The write is acknowledged by the primary only, and still safe: the grants with these fences are written
   * after it in the same oplog, and are returned only when a majority has them and everything before them. A
   * rollback affects all of them together.
   * @returns the first of the fences, {@link fenceStep} apart, or undefined if another process has ended the
   *   term
   */
  async allocate(term: LeaseTerm, count: number): Promise<number | undefined> {
    const before = await this.#leases.findOneAndUpdate(
      this.#held(term),
      [this.#renewal({ nextFence: { $add: ['$nextFence', count * fenceStep] } })],
      { returnDocument: 'before', projection: { nextFence: 1 }, writeConcern: { w: 1 } },
    );
    return before?.nextFence;
  }

  /**
   * Allocates fences for workers that return, in any process: they are higher than those of all grants so
   * far. Acknowledged by a majority: the jobs may be written after a failover, which must not undo this
   * write: the leader would allocate the same fences again.
   * @returns the first of the fences, {@link fenceStep} apart
   */
  async reserve(count: number): Promise<number> {
    const before = await this.#leases.findOneAndUpdate(
      { _id: 'broker' },
      [{ $set: { nextFence: { $add: ['$nextFence', count * fenceStep] } } }],
      { returnDocument: 'before', projection: { nextFence: 1 }, writeConcern: { w: 'majority' } },
    );
    if (!before) throw new Error('the lease of the broker does not exist');
    return before.nextFence;
  }

  /** Ends the term at once, so that another process can lead. */
  async release(term: LeaseTerm): Promise<void> {
    await this.#leases.updateOne(
      this.#held(term),
      [{ $set: { expiresAt: this.#now(), updatedAt: this.#now() } }],
      {
        writeConcern: { w: 'majority' },
      },
    );
  }

  /** Returns the lease if it has not expired. */
  async current(): Promise<BrokerLeaseDocument | undefined> {
    const lease = await this.#leases.findOne({ _id: 'broker', $expr: { $gt: ['$expiresAt', this.#now()] } });
    return lease ?? undefined;
  }

  #held({ holder, epoch }: LeaseTerm): Filter<BrokerLeaseDocument> {
    return { _id: 'broker', holder, epoch };
  }

  #renewal(fields: Document): Document {
    const now = this.#now();
    return {
      $set: {
        ...fields,
        expiresAt: { $add: [now, this.#ttlMs] },
        updatedAt: now,
        revision: { $add: ['$revision', 1] },
      },
    };
  }
}
