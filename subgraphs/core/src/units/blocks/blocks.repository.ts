/** Reads blocks, and writes changes of them on the condition that nobody else has changed them. */
import { collection } from '@rhizome/mongo';
import type { ClientSession, Collection, Db, Filter } from 'mongodb';
import {
  type BlockDocument,
  type BlockHeader,
  blocksCollection,
  optionalHeaderFields,
} from './block.document.js';
import { allOrNone, majority, StaleBlock } from './block-transaction.repository.js';
import { type UnitCompletionDocument, unitCompletionsCollection } from './unit-completion.document.js';
import {
  additionOf,
  type UnitHour,
  type UnitHourDocument,
  unitHoursCollection,
} from './unit-hour.document.js';
import { type UnitPayloadsDocument, unitPayloadsCollection } from './unit-payload.document.js';
import type { Block, StoredUnit } from './unit.types.js';

/** Changed units of a block. */
export interface BlockWrite {
  readonly id: string;
  /** Revision that the change was computed from. */
  readonly revision: number;
  readonly units: ReadonlyMap<number, StoredUnit>;
  readonly header: BlockHeader;
}

/** Documents that are written together with blocks. */
export interface CommitAlso {
  readonly completions: readonly UnitCompletionDocument[];
  /** Numbers to add to those of hours. */
  readonly hours: readonly UnitHour[];
}

/** Place of a block in the order of leases. */
export type ReadyBlock = Pick<BlockDocument, '_id' | 'revision' | 'priority' | 'sequence'>;

/** Dead letters of a block, with their positions. */
export interface DeadUnits extends Pick<BlockDocument, '_id' | 'sequence' | 'createdAt'> {
  readonly units: readonly { readonly position: number; readonly unit: StoredUnit }[];
}

const blockFields = { revision: 1, createdAt: 1, priority: 1, sequence: 1, units: 1 } as const;

/** Stored blocks. */
export class BlocksRepository {
  readonly #db: Db;
  readonly #blocks: Collection<BlockDocument>;
  readonly #payloads: Collection<UnitPayloadsDocument>;
  readonly #completions: Collection<UnitCompletionDocument>;
  readonly #hours: Collection<UnitHourDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#blocks = collection(db, blocksCollection);
    this.#payloads = collection(db, unitPayloadsCollection);
    this.#completions = collection(db, unitCompletionsCollection);
    this.#hours = collection(db, unitHoursCollection);
  }

  /** Blocks with these ids, in no order. @param isDurable leaves out writes that may still be rolled back */
  find(ids: readonly string[], isDurable = false): Promise<Block[]> {
    return this.#blocks
      .find({ _id: { $in: [...ids] } }, isDurable ? { readConcern: 'majority' } : {})
      .project<Block>(blockFields)
      .toArray();
  }

  /** The jobs among these that hold units of the pool. */
  async holding(poolId: string, jobIds: readonly string[]): Promise<ReadonlySet<string>> {
    const wanted = new Set(jobIds);
    const found = this.#blocks
      .find({ holders: { $in: [...jobIds] }, poolId }, { hint: 'holders_idx' })
      .project<Required<Pick<BlockDocument, 'holders'>>>({ _id: 0, holders: 1 });
    const holding = new Set<string>();
    for await (const { holders } of found) for (const id of holders) if (wanted.has(id)) holding.add(id);
    return holding;
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

  /** Times since when units of these pools could be leased that can be now, by pool; from an index alone. */
  async readySince(poolIds: readonly string[], now: Date): Promise<ReadonlyMap<string, Date>> {
    const found = await this.#blocks
      .aggregate<{ readonly _id: string; readonly since: Date }>(
        [
          { $match: { poolId: { $in: [...poolIds] }, readyAt: { $lte: now } } },
          { $group: { _id: '$poolId', since: { $min: '$readyAt' } } },
        ],
        { hint: 'poolId_priority_sequence_idx' },
      )
      .toArray();
    return new Map(found.map(({ _id, since }) => [_id, since]));
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
    return allOrNone(this.#db, (session) => this.#write(writes, { completions, hours }, now, session));
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
