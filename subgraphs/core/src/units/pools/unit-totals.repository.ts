/** Sums up units: those of blocks as they are, and those that ended an attempt in a period. */
import { collection, readSnapshot } from '@rhizome/mongo';
import type { ClientSession, Collection, Db } from 'mongodb';
import { type BlockDocument, type BlockHeader, blocksCollection } from '../blocks/block.document.js';
import { type UnitHourDocument, unitHoursCollection } from '../blocks/unit-hour.document.js';
import { type PoolDocument, poolsCollection } from './pool.document.js';

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

const totalsIndex = 'poolId_isCounted_idx';
/** Most groups of one answer. */
export const maxHourRows = 10_000;

/** Stored numbers of units. */
export class UnitTotalsRepository {
  readonly #db: Db;
  readonly #blocks: Collection<BlockDocument>;
  readonly #pools: Collection<PoolDocument>;
  readonly #hours: Collection<UnitHourDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#blocks = collection(db, blocksCollection);
    this.#pools = collection(db, poolsCollection);
    this.#hours = collection(db, unitHoursCollection);
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

  /** Pools with units that wait, are leased or dead, at most `most`; also those that have ended just now. */
  async used(most: number): Promise<string[]> {
    const found = this.#blocks.aggregate<{ _id: string }>(
      [{ $match: { isCounted: true } }, { $group: { _id: '$poolId' } }, { $limit: most }],
      { hint: totalsIndex },
    );
    return (await found.toArray()).map(({ _id }) => _id);
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
}
