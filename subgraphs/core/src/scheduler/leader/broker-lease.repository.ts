/** The one document that says who leads the broker. Every change of it is one conditional update: it is the only arbiter. */
import type { Collection, Document, Filter } from 'mongodb';
import type { StoreTime } from '../../shared/store-time.js';

/** The stored lease of the broker. */
export interface BrokerLeaseDocument {
  readonly _id: 'broker';
  readonly schemaVersion: number;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** The process that leads; empty before the first. */
  readonly holder: string;
  /** Where it takes `acquireJobs`; left out where it is alone. */
  readonly url?: string;
  /** Grows with each change of leader. */
  readonly epoch: number;
  /** By the clock of the store. */
  readonly expiresAt: Date;
  /** The next fence to be given out. */
  readonly nextFence: number;
}

/** Fences of grants are this far apart: what lies between is for words that make a grant void. */
export const fenceStep = 8;

/** Who holds the lease, under which epoch. */
export interface LeaseTerm {
  readonly holder: string;
  readonly epoch: number;
}

/** See the head of this file. */
export class BrokerLeaseRepository {
  readonly #leases: Collection<BrokerLeaseDocument>;
  readonly #now: StoreTime;
  readonly #ttlMs: number;
  constructor(leases: Collection<BrokerLeaseDocument>, now: StoreTime, ttlMs: number) {
    this.#leases = leases;
    this.#now = now;
    this.#ttlMs = ttlMs;
  }

  /** Makes the document where there is none. */
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
      // Another process made it in the same moment.
      if ((error as { code?: unknown }).code !== 11000) throw error;
    }
  }

  /** Takes the lease if it has ended, under a new epoch. @returns the lease, or undefined while somebody else has it */
  async take(holder: string, url: string | undefined): Promise<BrokerLeaseDocument | undefined> {
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

  /** Lengthens the lease. @returns false when the term has been ended by another */
  async renew(term: LeaseTerm): Promise<boolean> {
    const result = await this.#leases.updateOne(this.#held(term), [this.#renewal({})], {
      writeConcern: { w: 'majority' },
    });
    return result.matchedCount === 1;
  }

  /**
   * Gives out fences and lengthens the lease, if the term still lasts.
   *
   * It is acknowledged by the primary alone, and still safe: the grants that carry the fences are written behind it, in the same log, and are
   * answered only when the majority has them, and with them everything before. What is rolled back is rolled back together.
   * @returns the first of the fences, {@link fenceStep} apart, or undefined when the term has been ended by another
   */
  async allocate(term: LeaseTerm, count: number): Promise<number | undefined> {
    const before = await this.#leases.findOneAndUpdate(
      this.#held(term),
      [this.#renewal({ nextFence: { $add: ['$nextFence', count * fenceStep] } })],
      { returnDocument: 'before', projection: { nextFence: 1 }, writeConcern: { w: 1 } },
    );
    return before?.nextFence;
  }

  /** Ends the term at once, so that another can lead. */
  async release(term: LeaseTerm): Promise<void> {
    await this.#leases.updateOne(
      this.#held(term),
      [{ $set: { expiresAt: this.#now(), updatedAt: this.#now() } }],
      {
        writeConcern: { w: 'majority' },
      },
    );
  }

  /** The lease as it stands, if it has not ended. */
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
