import { isDuplicateKey } from '@rhizome/mongo';
import type { Collection, UpdateFilter } from 'mongodb';
import type { BulkOperationDocument } from './bulk-operation.document.js';
import type { BulkOutcome, BulkRefusal } from './bulk.types.js';

const keptRefusals = 100;
/** Maximum number of changed job ids that are kept; beyond it, only their number is kept. */
const keptChanges = 10_000;
/** Time after which a runner that has not reported is replaced, in milliseconds. */
const runnerMs = 10_000;

/** The claim of a runner that has reported now. */
function claimOf(runnerId: string, now: Date): Required<Pick<BulkOperationDocument, 'runner'>> {
  return { runner: { id: runnerId, until: new Date(now.getTime() + runnerMs) } };
}

/** Counts and keeps refusals. */
function refusalsOf(refused: readonly BulkRefusal[]) {
  const counts: Record<string, number> = {};
  for (const { code } of refused)
    counts[`refusedByReason.${code}`] = (counts[`refusedByReason.${code}`] ?? 0) + 1;
  return {
    $inc: { refusedCount: refused.length, ...counts },
    $push: { refusals: { $each: [...refused], $slice: keptRefusals } },
  };
}

/** Recorded changes of many jobs. */
export class BulkRepository {
  readonly #operations: Collection<BulkOperationDocument>;

  constructor(operations: Collection<BulkOperationDocument>) {
    this.#operations = operations;
  }

  /** Returns the operation, or null. What it shows, a repetition of the change with its key shows, too. */
  async find(id: string): Promise<BulkOperationDocument | null> {
    return this.#operations.findOne({ _id: id }, { readConcern: { level: 'majority' } });
  }

  /** Returns the operation with this idempotency key, or null. */
  async findByKey(key: string): Promise<BulkOperationDocument | null> {
    return this.#operations.findOne({ key }, { readConcern: { level: 'majority' } });
  }

  /**
   * Records an operation, claimed by the runner: a leader that sees it before it has begun leaves it alone.
   * @returns the recorded operation, or the one that already had the key
   */
  async create(
    operation: BulkOperationDocument,
    runnerId: string,
    now: Date,
  ): Promise<BulkOperationDocument> {
    const claimed = { ...operation, ...claimOf(runnerId, now) };
    try {
      await this.#operations.insertOne(claimed, { writeConcern: { w: 'majority' } });
      return claimed;
    } catch (error) {
      const earlier = operation.key === undefined ? null : await this.findByKey(operation.key);
      if (!isDuplicateKey(error) || !earlier) throw error;
      return earlier;
    }
  }

  /** Ids of abandoned operations behind `after`, in order. */
  async abandoned(now: Date, after: string, limit: number): Promise<readonly string[]> {
    const free = { $or: [{ runner: { $exists: false } }, { 'runner.until': { $lt: now } }] };
    const found = await this.#operations
      .find(
        { _id: { $gt: after }, state: 'RUNNING', ...free },
        { projection: { _id: 1 }, sort: { _id: 1 }, limit },
      )
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
      { $set: claimOf(runnerId, now) },
      { returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
  }

  /** Renews the claim of a runner. @returns false if another process works on the operation */
  async renew(id: string, runnerId: string, now: Date): Promise<boolean> {
    return this.#step(id, runnerId, now, {});
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
    const last = page.at(-1);
    const { $inc, $push } = refusalsOf(outcome.refused);
    return this.#step(id, runnerId, now, {
      ...(last === undefined ? {} : { $set: { position: last } }),
      $inc: { changedCount: outcome.changed.length, ...$inc },
      $push: {
        ...$push,
        ...(keepIds ? { changedIds: { $each: [...outcome.changed], $slice: keptChanges } } : {}),
      },
      $unset: { page: '' },
    } as UpdateFilter<BulkOperationDocument>);
  }

  /**
   * Records progress of the collection of a retry's jobs.
   * @returns false if another process works on the operation
   */
  async recordCollection(
    id: string,
    runnerId: string,
    {
      position,
      refused,
    }: { readonly position?: string | undefined; readonly refused: readonly BulkRefusal[] },
    now: Date,
  ): Promise<boolean> {
    return this.#step(id, runnerId, now, {
      ...(position === undefined ? {} : { $set: { position } }),
      ...(refused.length === 0 ? {} : refusalsOf(refused)),
    } as UpdateFilter<BulkOperationDocument>);
  }

  /** Ends the collection: copies start with the first job. @returns null if another process works on it */
  async endCollection(id: string, runnerId: string, now: Date): Promise<BulkOperationDocument | null> {
    return this.#operations.findOneAndUpdate(
      { _id: id, state: 'RUNNING', 'runner.id': runnerId },
      {
        $set: { isCollected: true, updatedAt: now },
        $unset: { position: '', page: '' },
        $inc: { revision: 1 },
      },
      { returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
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

  /** Removes the record of an operation. */
  async remove(id: string): Promise<void> {
    await this.#operations.deleteOne({ _id: id });
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
