/** Reads blocks, and writes changes of them on the condition that nobody else has changed them. */
import { collection, readSnapshot } from '@rhizome/mongo';
import type { ClientSession, Collection, Db, Filter } from 'mongodb';
import {
  type BlockDocument,
  type BlockHeader,
  blocksCollection,
  optionalHeaderFields,
} from './block.document.js';
import { type UnitCompletionDocument, unitCompletionsCollection } from './unit-completion.document.js';
import {
  additionOf,
  type UnitHour,
  type UnitHourDocument,
  unitHoursCollection,
} from './unit-hour.document.js';
import { type UnitPayloadsDocument, unitPayloadsCollection } from './unit-payload.document.js';
import type { Block, StoredUnit } from './unit.types.js';
import { type PoolDocument, poolsCollection, type RemovedUnits } from '../pools/pool.document.js';

/** Changed units of a block. */
export interface BlockWrite {
  readonly id: string;
  /** Revision that the change was computed from. */
  readonly revision: number;
  readonly units: ReadonlyMap<number, StoredUnit>;
  readonly header: BlockHeader;
}

/** Parts of the key of {@link HourRow}. */
export type UnitGrouping = 'POOL' | 'RUN' | 'SITE' | 'HOUR';

/** Numbers of units that ended an attempt; parts of the key that are not grouped by are null. */
export interface HourRow {
  readonly poolId: string | null;
  readonly run: string | null;
  readonly site: string | null;
  readonly hour: Date | null;
  readonly completed: number;
  readonly failures: number;
  readonly seconds: number;
}

/** Documents that are written together with blocks. */
export interface CommitAlso {
  readonly completions: readonly UnitCompletionDocument[];
  /** Numbers to add to those of hours. */
  readonly hours: readonly UnitHour[];
}

/** Place of a block in the order of leases. */
export type ReadyBlock = Pick<BlockDocument, '_id' | 'revision' | 'priority' | 'sequence'>;

/** Sums over the blocks of a pool. */
export interface BlockTotals extends Pick<
  BlockHeader,
  'waiting' | 'leased' | 'completed' | 'dead' | 'waitingBytes' | 'failures' | 'seconds'
> {
  readonly poolId: string;
  readonly blocks: number;
  readonly waitingSince: Date | null;
}

/** Pools, and the sums over their blocks, as of one time. */
export interface SettledTotals {
  readonly pools: readonly PoolDocument[];
  readonly totals: readonly BlockTotals[];
}

/** Dead letters of a block, with their positions. */
export interface DeadUnits extends Pick<BlockDocument, '_id' | 'sequence' | 'createdAt'> {
  readonly units: readonly { readonly position: number; readonly unit: StoredUnit }[];
}

/** A block whose leases or deadlines are over, or whose jobs have ended. */
export type SweptBlock = Pick<BlockDocument, '_id' | 'poolId'>;

/** A block that has ended. */
export type EndedBlock = Pick<
  BlockDocument,
  '_id' | 'poolId' | 'revision' | 'isCounted' | 'completed' | 'dead' | 'failures' | 'seconds'
>;

const majority = { writeConcern: { w: 'majority' } } as const;
const totalsIndex = 'poolId_isCounted_idx';
/** Most groups of one answer. */
export const maxHourRows = 10_000;
const blockFields = { revision: 1, createdAt: 1, priority: 1, sequence: 1, units: 1 } as const;

class StaleBlock extends Error {}

/** Stored blocks. */
export class BlocksRepository {
  readonly #db: Db;
  readonly #blocks: Collection<BlockDocument>;
  readonly #payloads: Collection<UnitPayloadsDocument>;
  readonly #completions: Collection<UnitCompletionDocument>;
  readonly #pools: Collection<PoolDocument>;
  readonly #hours: Collection<UnitHourDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#blocks = collection(db, blocksCollection);
    this.#payloads = collection(db, unitPayloadsCollection);
    this.#completions = collection(db, unitCompletionsCollection);
    this.#pools = collection(db, poolsCollection);
    this.#hours = collection(db, unitHoursCollection);
  }

  /** Blocks with these ids, in no order. @param isDurable leaves out writes that may still be rolled back */
  find(ids: readonly string[], isDurable = false): Promise<Block[]> {
    return this.#blocks
      .find({ _id: { $in: [...ids] } }, isDurable ? { readConcern: 'majority' } : {})
      .project<Block>(blockFields)
      .toArray();
  }

  /** Blocks with units that can be leased now, in the order of leases, behind one of them. */
  async ready(
    poolId: string,
    now: Date,
    most: number,
    after?: Pick<ReadyBlock, 'priority' | 'sequence'>,
  ): Promise<ReadyBlock[]> {
    const found: ReadyBlock[] = [];
    const rest: Filter<BlockDocument>[] = after
      ? [
          { priority: after.priority, sequence: { $gt: after.sequence } },
          { priority: { $lt: after.priority } },
        ]
      : [{}];
    for (const part of rest) {
      if (found.length >= most) break;
      const page = this.#blocks
        .find({ poolId, readyAt: { $lte: now }, ...part })
        .project<ReadyBlock>({ revision: 1, priority: 1, sequence: 1 })
        .sort({ priority: -1, sequence: 1 })
        .limit(most - found.length);
      found.push(...(await page.toArray()));
    }
    return found;
  }

  /** Time from which the next unit can be leased that cannot be leased now; undefined if there is none. */
  async nextReadyAt(poolId: string, now: Date): Promise<Date | undefined> {
    const [next] = await this.#blocks
      .find({ poolId, readyAt: { $gt: now } })
      .project<{ readonly readyAt: Date }>({ readyAt: 1 })
      .sort({ readyAt: 1 })
      .limit(1)
      .toArray();
    return next?.readyAt;
  }

  /** Number of the first block, before one, in which a unit with each of these ordering keys is open. */
  async firstOpen(
    poolId: string,
    keys: readonly string[],
    before: number,
  ): Promise<ReadonlyMap<string, number>> {
    const found = await this.#blocks
      .aggregate<{ readonly _id: string; readonly first: number }>([
        { $match: { poolId, openKeys: { $in: [...keys] }, sequence: { $lt: before } } },
        { $project: { sequence: 1, openKeys: 1 } },
        { $unwind: '$openKeys' },
        { $match: { openKeys: { $in: [...keys] } } },
        { $group: { _id: '$openKeys', first: { $min: '$sequence' } } },
      ])
      .toArray();
    return new Map(found.map(({ _id, first }) => [_id, first]));
  }

  /** Number of units of a pool that each of these jobs holds. */
  async heldBy(poolId: string, jobIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = await this.#blocks
      .aggregate<{ readonly _id: string; readonly count: number }>([
        { $match: { holders: { $in: [...jobIds] }, poolId } },
        { $project: { jobs: '$units.lease.jobId' } },
        { $unwind: '$jobs' },
        { $match: { jobs: { $in: [...jobIds] } } },
        { $group: { _id: '$jobs', count: { $sum: 1 } } },
      ])
      .toArray();
    return new Map(found.map(({ _id, count }) => [_id, count]));
  }

  /** Sums over the blocks of pools, from an index alone; pools without blocks are left out. */
  totals(poolIds: readonly string[], session: ClientSession): Promise<BlockTotals[]> {
    const sum = (field: string) => ({ $sum: `$${field}` });
    const sums = {
      blocks: { $sum: 1 },
      waiting: sum('waiting'),
      leased: sum('leased'),
      completed: sum('completed'),
      dead: sum('dead'),
      waitingBytes: sum('waitingBytes'),
      failures: sum('failures'),
      seconds: sum('seconds'),
      waitingSince: { $min: '$waitingSince' },
    };
    return this.#blocks
      .aggregate<BlockTotals>(
        [
          { $match: { poolId: { $in: [...poolIds] }, isCounted: true } },
          { $group: { _id: '$poolId', ...sums } },
          { $set: { poolId: '$_id' } },
          { $unset: '_id' },
        ],
        { hint: totalsIndex, session },
      )
      .toArray();
  }

  /** Sums over the blocks of pools, and the pools to which the numbers of ended blocks were added. */
  async settledTotals(poolIds: readonly string[]): Promise<SettledTotals> {
    if (poolIds.length === 0) return { pools: [], totals: [] };
    // A block that changes or is added to its pool while others are read would count twice, or not at all.
    const { value } = await readSnapshot(this.#db.client, async (session) => {
      const pools = await this.#pools.find({ _id: { $in: [...poolIds] } }, { session }).toArray();
      return { pools, totals: await this.totals(poolIds, session) };
    });
    return value;
  }

  /** Numbers of pools in a period; one group more than {@link maxHourRows} if there are more. */
  hours(
    pools: readonly Pick<PoolDocument, '_id' | 'run'>[],
    since: Date,
    until: Date,
    groupBy: readonly UnitGrouping[],
  ): Promise<HourRow[]> {
    const poolIds = pools.map(({ _id }) => _id);
    const runs = { $literal: pools.map(({ run }) => run ?? null) };
    const run = { $arrayElemAt: [runs, { $indexOfArray: [{ $literal: poolIds }, '$poolId'] }] };
    const part = (of: UnitGrouping, value: string | object) =>
      groupBy.includes(of) ? { $ifNull: [value, null] } : null;
    const key = {
      poolId: part('POOL', '$poolId'),
      run: part('RUN', run),
      site: part('SITE', '$site'),
      hour: part('HOUR', '$hour'),
    };
    const sums = {
      completed: { $sum: '$completed' },
      failures: { $sum: '$failures' },
      seconds: { $sum: '$seconds' },
    };
    return this.#hours
      .aggregate<HourRow>([
        { $match: { poolId: { $in: poolIds }, hour: { $gte: since, $lt: until } } },
        { $group: { _id: key, ...sums } },
        { $sort: { _id: 1 } },
        { $limit: maxHourRows + 1 },
        { $replaceWith: { $mergeObjects: ['$_id', '$$ROOT'] } },
        { $unset: '_id' },
      ])
      .toArray();
  }

  /** Dead letters of a pool, behind a block, by block; of at most `most` blocks. */
  deadUnits(poolId: string, from: number, most: number): Promise<DeadUnits[]> {
    const positioned = {
      $map: {
        input: { $range: [0, { $size: '$units' }] },
        in: { position: '$$this', unit: { $arrayElemAt: ['$units', '$$this'] } },
      },
    };
    return this.#blocks
      .aggregate<DeadUnits>([
        { $match: { poolId, dead: { $gt: 0 }, sequence: { $gte: from } } },
        { $sort: { sequence: 1 } },
        { $limit: most },
        { $project: { sequence: 1, createdAt: 1, units: positioned } },
        {
          $set: {
            units: { $filter: { input: '$units', cond: { $eq: ['$$this.unit.state', 'DEAD'] } } },
          },
        },
      ])
      .toArray();
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

  async #settle(
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
    try {
      await this.#db.client.withSession((session) =>
        session.withTransaction(async () => {
          if ((await write(session)) < ended.length) throw new StaleBlock();
          const change = { $inc: { ...numbers, revision: 1 }, $set: { updatedAt: now } };
          await this.#pools.updateOne({ _id: poolId }, change, { session });
        }, majority),
      );
      return true;
    } catch (error) {
      if (error instanceof StaleBlock) return false;
      throw error;
    }
  }

  /** Payloads of blocks, in no order. */
  payloads(ids: readonly string[]): Promise<UnitPayloadsDocument[]> {
    return this.#payloads.find({ _id: { $in: [...ids] } }).toArray();
  }

  /** Completions, in no order. */
  completions(ids: readonly string[]): Promise<UnitCompletionDocument[]> {
    return this.#completions.find({ _id: { $in: [...ids] } }).toArray();
  }

  /** A completion; null once its retention is over. */
  completion(id: string): Promise<UnitCompletionDocument | null> {
    return this.#completions.findOne({ _id: id });
  }

  /**
   * Writes changes of blocks, completions and the numbers of hours, all or none.
   * @returns false if a block was changed meanwhile
   */
  async commit(
    writes: readonly BlockWrite[],
    { completions, hours }: CommitAlso,
    now: Date,
  ): Promise<boolean> {
    const [first] = writes;
    if (!first) return true;
    if (writes.length === 1 && completions.length + hours.length === 0) {
      const { filter, update } = updateOf(first, now);
      return (await this.#blocks.updateOne(filter, update, majority)).matchedCount === 1;
    }
    try {
      await this.#db.client.withSession((session) =>
        session.withTransaction(() => this.#write(writes, { completions, hours }, now, session), majority),
      );
      return true;
    } catch (error) {
      if (error instanceof StaleBlock) return false;
      throw error;
    }
  }

  async #write(
    writes: readonly BlockWrite[],
    { completions, hours }: CommitAlso,
    now: Date,
    session: ClientSession,
  ): Promise<void> {
    const updates = writes.map((write) => ({ updateOne: updateOf(write, now) }));
    const { matchedCount } = await this.#blocks.bulkWrite(updates, { session, ordered: true });
    if (matchedCount < writes.length) throw new StaleBlock();
    if (completions.length > 0) await this.#completions.insertMany([...completions], { session });
    if (hours.length === 0) return;
    await this.#hours.bulkWrite(
      hours.map((hour) => ({ updateOne: additionOf(hour, now) })),
      { session },
    );
  }
}

/** Blocks with the revisions that they were read with. */
function exactly(blocks: readonly EndedBlock[]): Filter<BlockDocument> {
  return { $or: blocks.map(({ _id, revision }) => ({ _id, revision })) };
}

function updateOf({ id, revision, units, header }: BlockWrite, now: Date) {
  const changed = Object.fromEntries([...units].map(([position, unit]) => [`units.${position}`, unit]));
  const absent = optionalHeaderFields.filter((field) => header[field] === undefined);
  return {
    filter: { _id: id, revision },
    update: {
      $set: { ...changed, ...header, updatedAt: now },
      $inc: { revision: 1 },
      ...(absent.length > 0 && { $unset: Object.fromEntries(absent.map((field) => [field, true])) }),
    } as object,
  };
}
