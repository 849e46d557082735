/** The only code that accesses the counts of failures. */
import { collection, isDuplicateKey } from '@rhizome/mongo';
import type { AnyBulkWriteOperation, ClientSession, Collection, Db } from 'mongodb';
import { retention } from '../../shared/retention.js';
import { type LostTimeDocument, lostTimesCollection } from '../../workers/adoption/lost-time.document.js';
import {
  type FailureCountsDocument,
  failureCountsCollection,
  type FailureHistoryDocument,
  failureHistoryCollection,
  type UncountedInterval,
} from './failure-counts.document.js';
import type { FailureTarget } from './failure-changes.js';
import type { TableChanges } from './failure-table.js';

/** Most intervals without counts that are kept. */
const maxGaps = 100;
const historyId = 'history';
const majority = { writeConcern: { w: 'majority' } } as const;
const transaction = { ...majority, readConcern: { level: 'snapshot' } } as const;
/** Most lost times that are counted together. */
const maxLostTimes = 500;

/** A document with the changes to be stored. */
export interface FailureWrite {
  readonly target: FailureTarget;
  readonly changes: TableChanges;
}

/** Another leader has stored counts meanwhile: those in memory must be read again. */
export class StaleFailureCounts extends Error {}

/** Reads and writes counts of failures. */
export class FailureCountsRepository {
  readonly #db: Db;
  readonly #counts: Collection<FailureCountsDocument>;
  readonly #history: Collection<FailureHistoryDocument>;
  readonly #lostTimes: Collection<LostTimeDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#counts = collection(db, failureCountsCollection);
    this.#history = collection(db, failureHistoryCollection);
    this.#lostTimes = collection(db, lostTimesCollection);
  }

  /** Documents by id. */
  async find(ids: readonly string[]): Promise<ReadonlyMap<string, FailureCountsDocument>> {
    const found = await this.#counts
      .find({ _id: { $in: [...ids] } }, { readConcern: { level: 'majority' } })
      .toArray();
    return new Map(found.map((one) => [one._id, one]));
  }

  /** Lost time that is not counted yet; the rest follows once this is. */
  lostTimes(): Promise<readonly LostTimeDocument[]> {
    return this.#lostTimes.find({}, { readConcern: { level: 'majority' }, limit: maxLostTimes }).toArray();
  }

  /**
   * Stores changes. Each document is written only if it is as it was read, so that no event counts twice.
   * @param counted lost time that the changes contain: it is removed in one transaction with them
   * @throws StaleFailureCounts if a document was not as it was read, or lost time was counted meanwhile
   */
  async save(
    writes: readonly FailureWrite[],
    counted: readonly LostTimeDocument[],
    now: Date,
  ): Promise<void> {
    if (writes.length === 0) return;
    // New documents first, so that the driver sends two commands, not one for each change of kind.
    const sorted = [...writes].sort((a, b) => revisionOf(a) - revisionOf(b));
    const operations = sorted.map((write) => operationOf(write, now));
    if (counted.length === 0) return this.#write(operations, majority);
    const ids = counted.map(({ _id }) => _id);
    await this.#db.client.withSession((session) =>
      session.withTransaction(async () => {
        await this.#write(operations, { session });
        const { deletedCount } = await this.#lostTimes.deleteMany({ _id: { $in: ids } }, { session });
        if (deletedCount < ids.length) throw new StaleFailureCounts();
      }, transaction),
    );
  }

  async #write(
    operations: readonly AnyBulkWriteOperation<FailureCountsDocument>[],
    options: typeof majority | { readonly session: ClientSession },
  ): Promise<void> {
    try {
      // In order: after a duplicate key, the rest of a transaction would fail with an error that is retried.
      const { matchedCount, insertedCount } = await this.#counts.bulkWrite(operations, options);
      if (matchedCount + insertedCount < operations.length) throw new StaleFailureCounts();
    } catch (error) {
      if (isDuplicateKey(error)) throw new StaleFailureCounts();
      throw error;
    }
  }

  /** Records that failures are counted from now on, if they were not before. */
  async begin(now: Date): Promise<void> {
    const first = { schemaVersion: 1, createdAt: now, gaps: [] };
    await this.#history.updateOne({ _id: historyId }, { $setOnInsert: first }, { upsert: true, ...majority });
  }

  /** Records an interval in which failures were not counted. */
  async addGap(gap: UncountedInterval): Promise<void> {
    const gaps = { $each: [gap], $slice: -maxGaps };
    await this.#history.updateOne({ _id: historyId }, { $push: { gaps } }, majority);
  }
}

function revisionOf({ changes: { revision = 0 } }: FailureWrite): number {
  return revision;
}

function operationOf(
  { target: { id, hour, ...facts }, changes: { rows, revision, upTo } }: FailureWrite,
  now: Date,
): AnyBulkWriteOperation<FailureCountsDocument> {
  const newestAt =
    facts.rollup === 'TOTAL'
      ? new Date(Math.max(...[...rows.values()].map(({ firstAt }) => firstAt.getTime())))
      : undefined;
  if (revision === undefined) {
    const expiresAt = hour && new Date(hour.getTime() + retention.failureHours * 1000);
    const document: FailureCountsDocument = {
      _id: id,
      schemaVersion: 1,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      ...facts,
      ...(hour && expiresAt ? { hour, expiresAt } : {}),
      upTo,
      ...(newestAt ? { newestAt } : {}),
      rows: [...rows.values()],
    };
    return { insertOne: { document } };
  }
  const changed = Object.fromEntries([...rows].map(([position, row]) => [`rows.${position}`, row]));
  return {
    updateOne: {
      filter: { _id: id, revision },
      update: {
        $set: { ...changed, upTo, updatedAt: now },
        $inc: { revision: 1 },
        ...(newestAt ? { $max: { newestAt } } : {}),
      },
    },
  };
}
