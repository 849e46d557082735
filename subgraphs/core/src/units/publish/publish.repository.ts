/** Writes published units with their keys, all or none. */
import { collection, isDuplicateKey } from '@rhizome/mongo';
import type { ClientSession, Collection, Db } from 'mongodb';
import { type BlockDocument, blocksCollection } from '../blocks/block.document.js';
import { majority } from '../blocks/block-transaction.repository.js';
import { type UnitKeyDocument, unitKeyId, unitKeysCollection } from '../blocks/unit-key.document.js';
import { type UnitPayloadsDocument, unitPayloadsCollection } from '../blocks/unit-payload.document.js';
import { type PoolDocument, poolsCollection } from '../pools/pool.document.js';
import type { BlockTotals, UnitTotalsRepository } from '../pools/unit-totals.repository.js';
import type { NewBlocks } from './new-blocks.js';

/** Outcome of a publication. */
export type PublishOutcome = 'published' | 'closed' | 'full' | 'repeated';

/** Units to write. */
export interface Publication {
  readonly poolId: string;
  /** Number of blocks. */
  readonly blockCount: number;
  /** Makes the documents. @param first number of the first block */
  readonly make: (first: number) => NewBlocks;
  /** False if the pool may not hold the units in addition to these. */
  readonly fits: (totals: BlockTotals | undefined) => boolean;
  readonly keysUntil: Date;
  readonly now: Date;
}

class Refused extends Error {
  readonly outcome: PublishOutcome;

  constructor(outcome: PublishOutcome) {
    super(outcome);
    this.outcome = outcome;
  }
}

/** Store of publications. */
export class PublishRepository {
  readonly #db: Db;
  readonly #pools: Collection<PoolDocument>;
  readonly #blocks: Collection<BlockDocument>;
  readonly #payloads: Collection<UnitPayloadsDocument>;
  readonly #keys: Collection<UnitKeyDocument>;
  readonly #totals: Pick<UnitTotalsRepository, 'totals'>;

  constructor(db: Db, totals: Pick<UnitTotalsRepository, 'totals'>) {
    this.#db = db;
    this.#pools = collection(db, poolsCollection);
    this.#blocks = collection(db, blocksCollection);
    this.#payloads = collection(db, unitPayloadsCollection);
    this.#keys = collection(db, unitKeysCollection);
    this.#totals = totals;
  }

  /** Ids of the units that were published with these keys; an answer may rest on them. */
  async known(poolId: string, keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const ids = keys.map((key) => unitKeyId(poolId, key));
    const found = await this.#keys.find({ _id: { $in: ids } }, { readConcern: 'majority' }).toArray();
    const start = unitKeyId(poolId, '').length;
    return new Map(found.map(({ _id, unitId }) => [_id.slice(start), unitId]));
  }

  /** Publishes; `repeated` if one of the keys is there already. */
  async publish(
    publication: Publication,
  ): Promise<{ readonly outcome: PublishOutcome; readonly made?: NewBlocks }> {
    try {
      const made = await this.#db.client.withSession((session) =>
        session.withTransaction(() => this.#write(publication, session), majority),
      );
      return { outcome: 'published', made };
    } catch (error) {
      if (error instanceof Refused) return { outcome: error.outcome };
      if (isDuplicateKey(error)) return { outcome: 'repeated' };
      throw error;
    }
  }

  async #write(
    { poolId, blockCount, make, fits, keysUntil, now }: Publication,
    session: ClientSession,
  ): Promise<NewBlocks> {
    // Of concurrent publications to a pool, one goes on: the totals are those after all earlier ones.
    const before = await this.#pools.findOneAndUpdate(
      { _id: poolId, state: 'OPEN' },
      { $inc: { blocks: blockCount, revision: 1 }, $set: { updatedAt: now } },
      { session, returnDocument: 'before', projection: { blocks: 1 } },
    );
    if (!before) throw new Refused('closed');
    const [totals] = await this.#totals.totals([poolId], session);
    if (!fits(totals)) throw new Refused('full');
    const made = make(before.blocks + 1);
    const keys = [...made.unitIds].map(([key, unitId]) => ({
      _id: unitKeyId(poolId, key),
      schemaVersion: 1,
      unitId,
      expiresAt: keysUntil,
    }));
    await this.#keys.insertMany(keys, { session, ordered: true });
    await this.#payloads.insertMany([...made.payloads], { session });
    await this.#blocks.insertMany([...made.blocks], { session });
    return made;
  }
}
