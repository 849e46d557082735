import { MongoServerError, type Collection, type UpdateFilter } from 'mongodb';
import type { BulkOperationDocument } from './bulk-operation.document.js';
import type { BulkOutcome } from './bulk.types.js';

const duplicateKey = 11_000;
const keptRefusals = 100;
/** Maximum number of changed job ids that are kept; beyond it, only their number is kept. */
const keptChanges = 10_000;
/** Time after which a runner that has not reported is replaced, in milliseconds. */
const runnerMs = 10_000;

/** Recorded changes of many jobs. */
export class BulkRepository {
  readonly #operations: Collection<BulkOperationDocument>;

  constructor(operations: Collection<BulkOperationDocument>) {
    this.#operations = operations;
  }

  /** Returns the operation, or null. */
  async find(id: string): Promise<BulkOperationDocument | null> {
    return this.#operations.findOne({ _id: id });
  }

  /** Returns the operation with this idempotency key, or null. */
  async findByKey(key: string): Promise<BulkOperationDocument | null> {
    return this.#operations.findOne({ key }, { readConcern: { level: 'majority' } });
  }

  /** Records an operation. @returns the given operation, or the one that already had the key */
  async create(operation: BulkOperationDocument): Promise<BulkOperationDocument> {
    try {
      await this.#operations.insertOne(operation, { writeConcern: { w: 'majority' } });
      return operation;
    } catch (error) {
      const earlier = operation.key === undefined ? null : await this.findByKey(operation.key);
      if (!(error instanceof MongoServerError && error.code === duplicateKey) || !earlier) throw error;
      return earlier;
    }
  }

  /** Ids of abandoned operations. */
  async abandoned(now: Date, limit: number): Promise<readonly string[]> {
    const free = { $or: [{ runner: { $exists: false } }, { 'runner.until': { $lt: now } }] };
    const found = await this.#operations
      .find({ state: 'RUNNING', ...free }, { projection: { _id: 1 }, sort: { _id: 1 }, limit })
      .toArray();
    return found.map(({ _id }) => _id);
  }

  /** Claims an operation if no other process works on it. @returns the current document, or null */
  async claim(id: string, runnerId: string, now: Date): Promise<BulkOperationDocument | null> {
    const free = {
      $or: [{ runner: { $exists: false } }, { 'runner.until': { $lt: now } }, { 'runner.id': runnerId }],
    };
    return this.#operations.findOneAndUpdate(
      { _id: id, state: 'RUNNING', ...free },
      { $set: { runner: { id: runnerId, until: new Date(now.getTime() + runnerMs) } } },
      { returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
  }

  /** Releases an operation so that another process can resume it. */
  async release(id: string, runnerId: string): Promise<void> {
    await this.#operations.updateOne({ _id: id, 'runner.id': runnerId }, { $unset: { runner: '' } });
  }

  /** Records the ids that are started now. @returns false if another process works on the operation */
  async beginPage(id: string, runnerId: string, page: readonly string[], now: Date): Promise<boolean> {
    return this.#step(id, runnerId, now, { $set: { page: [...page] } });
  }

  /** Records the result of a page. @returns false if another process works on the operation */
  async endPage(
    id: string,
    runnerId: string,
    page: readonly string[],
    outcome: BulkOutcome,
    keepIds: boolean,
    now: Date,
  ): Promise<boolean> {
    const counts = new Map<string, number>();
    for (const { code } of outcome.refused) counts.set(code, (counts.get(code) ?? 0) + 1);
    const byReason = Object.fromEntries(
      [...counts].map(([code, count]) => [`refusedByReason.${code}`, count]),
    );
    const last = page.at(-1);
    return this.#step(id, runnerId, now, {
      ...(last === undefined ? {} : { $set: { position: last } }),
      $inc: { changedCount: outcome.changed.length, refusedCount: outcome.refused.length, ...byReason },
      $push: {
        refusals: { $each: [...outcome.refused], $slice: keptRefusals },
        ...(keepIds && outcome.changed.length <= keptChanges
          ? { changedIds: { $each: [...outcome.changed] } }
          : {}),
      },
      $unset: { page: '' },
    } as UpdateFilter<BulkOperationDocument>);
  }

  /**
   * Ends an operation. If it has a key and changed nothing, the key becomes free: a repetition cannot change
   * anything twice.
   */
  async end(id: string, runnerId: string, now: Date): Promise<BulkOperationDocument | null> {
    return this.#operations.findOneAndUpdate(
      { _id: id, state: 'RUNNING', 'runner.id': runnerId },
      [
        {
          $set: {
            state: 'DONE',
            endedAt: now,
            updatedAt: now,
            revision: { $add: ['$revision', 1] },
            key: { $cond: [{ $eq: ['$changedCount', 0] }, '$$REMOVE', '$key'] },
          },
        },
        { $unset: ['runner', 'page'] },
      ],
      { returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
  }

  async #step(
    id: string,
    runnerId: string,
    now: Date,
    update: UpdateFilter<BulkOperationDocument>,
  ): Promise<boolean> {
    const set = { ...update.$set, updatedAt: now, 'runner.until': new Date(now.getTime() + runnerMs) };
    const { matchedCount } = await this.#operations.updateOne(
      { _id: id, state: 'RUNNING', 'runner.id': runnerId },
      { ...update, $set: set, $inc: { ...update.$inc, revision: 1 } } as UpdateFilter<BulkOperationDocument>,
      { writeConcern: { w: 'majority' } },
    );
    return matchedCount === 1;
  }
}
