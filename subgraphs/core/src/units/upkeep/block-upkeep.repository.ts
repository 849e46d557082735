/** Finds the blocks that the upkeep changes, adds ended ones to their pools, and removes them. */
import { collection } from '@rhizome/mongo';
import type { ClientSession, Collection, Db, Filter } from 'mongodb';
import { type BlockDocument, blocksCollection } from '../blocks/block.document.js';
import { allOrNone, StaleBlock } from '../blocks/block-transaction.repository.js';
import { type UnitPayloadsDocument, unitPayloadsCollection } from '../blocks/unit-payload.document.js';
import { type PoolDocument, poolsCollection, type RemovedUnits } from '../pools/pool.document.js';

/** A block whose leases or deadlines are over, or whose jobs have ended. */
export type SweptBlock = Pick<BlockDocument, '_id' | 'poolId'>;

/** A block that has ended. */
export type EndedBlock = Pick<
  BlockDocument,
  '_id' | 'poolId' | 'revision' | 'isCounted' | 'completed' | 'dead' | 'failures' | 'seconds'
>;

/** Stored blocks for the upkeep. */
export class BlockUpkeepRepository {
  readonly #db: Db;
  readonly #blocks: Collection<BlockDocument>;
  readonly #payloads: Collection<UnitPayloadsDocument>;
  readonly #pools: Collection<PoolDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#blocks = collection(db, blocksCollection);
    this.#payloads = collection(db, unitPayloadsCollection);
    this.#pools = collection(db, poolsCollection);
  }

  /** Blocks in which a lease has ended or a deadline has passed. */
  overdue(before: Date, most: number): Promise<SweptBlock[]> {
    return this.#swept({ sweepAt: { $lte: before } }, { sweepAt: 1 }, most);
  }

  /** Blocks with units that these jobs hold. */
  ofJobs(jobIds: readonly string[], most: number): Promise<SweptBlock[]> {
    return this.#swept({ holders: { $in: [...jobIds] } }, { _id: 1 }, most);
  }

  /** Jobs that hold units, by block: a job is returned for each of its blocks. */
  async *holders(): AsyncGenerator<readonly string[]> {
    const found = this.#blocks
      .find({ holders: { $exists: true } })
      .project<Required<Pick<BlockDocument, 'holders'>>>({ _id: 0, holders: 1 });
    for await (const { holders } of found) yield holders;
  }

  #swept(filter: Filter<BlockDocument>, order: Record<string, 1>, most: number): Promise<SweptBlock[]> {
    return this.#blocks.find(filter).sort(order).limit(most).project<SweptBlock>({ poolId: 1 }).toArray();
  }

  /** Ended blocks without dead letters whose numbers are not added to their pool yet. */
  uncounted(most: number): Promise<EndedBlock[]> {
    return this.#ended({ isCounted: true, expiresAt: { $exists: true }, dead: 0 }, most);
  }

  /** Blocks whose retention is over. */
  expired(now: Date, most: number): Promise<EndedBlock[]> {
    return this.#ended({ expiresAt: { $lte: now } }, most);
  }

  #ended(filter: Filter<BlockDocument>, most: number): Promise<EndedBlock[]> {
    const numbers = { completed: 1, dead: 1, failures: 1, seconds: 1 } as const;
    return this.#blocks
      .find(filter)
      .sort({ expiresAt: 1 })
      .limit(most)
      .project<EndedBlock>({ poolId: 1, revision: 1, isCounted: 1, ...numbers })
      .toArray();
  }

  /**
   * Adds the numbers of ended blocks to those of their pool: reading its totals does not become slower with
   * the number of its units.
   * @returns false if a block was changed meanwhile; then nothing is written
   */
  addToPool(poolId: string, ended: readonly EndedBlock[], now: Date): Promise<boolean> {
    const change = { $unset: { isCounted: true }, $inc: { revision: 1 }, $set: { updatedAt: now } } as object;
    return this.#settle(poolId, ended, now, async (session) => {
      const { modifiedCount } = await this.#blocks.updateMany(exactly(ended), change, { session });
      return modifiedCount;
    });
  }

  /** Removes ended blocks of a pool with their payloads. @returns as {@link addToPool} */
  remove(poolId: string, ended: readonly EndedBlock[], now: Date): Promise<boolean> {
    return this.#settle(poolId, ended, now, async (session) => {
      const { deletedCount } = await this.#blocks.deleteMany(exactly(ended), { session });
      await this.#payloads.deleteMany({ _id: { $in: ended.map(({ _id }) => _id) } }, { session });
      return deletedCount;
    });
  }

  #settle(
    poolId: string,
    ended: readonly EndedBlock[],
    now: Date,
    write: (session: ClientSession) => Promise<number>,
  ): Promise<boolean> {
    const counted = ended.filter(({ isCounted }) => isCounted);
    const sum = (field: keyof RemovedUnits): number => counted.reduce((all, one) => all + one[field], 0);
    const numbers = {
      'removed.completed': sum('completed'),
      'removed.dead': sum('dead'),
      'removed.failures': sum('failures'),
      'removed.seconds': sum('seconds'),
    };
    return allOrNone(this.#db, async (session) => {
      if ((await write(session)) < ended.length) throw new StaleBlock();
      const change = { $inc: { ...numbers, revision: 1 }, $set: { updatedAt: now } };
      await this.#pools.updateOne({ _id: poolId }, change, { session });
    });
  }
}

/** Blocks with the revisions that they were read with. */
function exactly(blocks: readonly EndedBlock[]): Filter<BlockDocument> {
  return { $or: blocks.map(({ _id, revision }) => ({ _id, revision })) };
}
