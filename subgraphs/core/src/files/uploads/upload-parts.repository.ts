/** Access to the collection of parts of uploads. */
import { isDuplicateKey } from '@rhizome/mongo';
import type { Collection } from 'mongodb';
import { uploadSchemaVersion, type UploadPart, type UploadPartDocument } from './upload.document.js';

/** Where the parts of an upload are. */
export type PartPlace = Pick<UploadPartDocument, 'experiment' | 'owner' | 'storage'>;

/** A part with its id. */
export type IdentifiedPart = UploadPart & Pick<UploadPartDocument, '_id'>;

const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored parts. */
export class UploadPartsRepository {
  readonly #parts: Collection<UploadPartDocument>;

  constructor(parts: Collection<UploadPartDocument>) {
    this.#parts = parts;
  }

  /** The parts with these ids, in any order. */
  findMany(ids: readonly string[]): Promise<readonly UploadPartDocument[]> {
    return this.#parts.find({ _id: { $in: [...ids] } }).toArray();
  }

  /**
   * Records that parts are wanted, and postpones their check.
   * @param addressesUntil time until which the addresses that are given next may be used
   * @returns false if one of them is being removed, or has another size: the call may then be repeated
   */
  async want(
    place: PartPlace,
    parts: readonly IdentifiedPart[],
    now: Date,
    { dueAt, addressesUntil }: Pick<UploadPartDocument, 'dueAt' | 'addressesUntil'>,
  ): Promise<boolean> {
    const operations = parts.map(({ _id, sizeBytes, sha256 }) => ({
      updateOne: {
        filter: { _id, sizeBytes, state: { $ne: 'REMOVING' as const } },
        update: {
          $setOnInsert: {
            ...{ schemaVersion: uploadSchemaVersion, createdAt: now, state: 'WANTED' as const },
            ...{ ...place, sha256 },
          },
          $max: { dueAt, addressesUntil },
          $set: { updatedAt: now },
          $inc: { revision: 1 },
        },
        upsert: true,
      },
    }));
    try {
      await this.#parts.bulkWrite(operations, { ordered: false, ...majority });
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  /** Records that parts have arrived. */
  async stored(ids: readonly string[], now: Date): Promise<void> {
    if (ids.length === 0) return;
    await this.#parts.updateMany(
      { _id: { $in: [...ids] }, state: 'WANTED' },
      { $set: { state: 'STORED', updatedAt: now }, $inc: { revision: 1 } },
      majority,
    );
  }

  /** Lets the leader look at parts as soon as no address for them can be used. */
  async lookAt(ids: readonly string[], now: Date): Promise<void> {
    const dueAt = { $max: [now, '$addressesUntil'] };
    await this.#parts.updateMany(
      { _id: { $in: [...ids] }, state: { $ne: 'REMOVING' } },
      [{ $set: { dueAt, updatedAt: now, revision: { $add: ['$revision', 1] } } }],
      majority,
    );
  }

  /** Removes the records of parts that one call has wanted and no other. */
  async forget(ids: readonly string[]): Promise<void> {
    await this.#parts.deleteMany({ _id: { $in: [...ids] }, state: 'WANTED', revision: 1 }, majority);
  }

  /** Parts that are due, in this order. */
  due(now: Date, limit: number): Promise<readonly UploadPartDocument[]> {
    return this.#parts.find({ dueAt: { $lte: now } }, { sort: { dueAt: 1 }, limit }).toArray();
  }

  /** Postpones a part, unless it was written since. */
  async postpone({ _id, revision }: UploadPartDocument, dueAt: Date, now: Date): Promise<void> {
    await this.#parts.updateOne(
      { _id, revision },
      { $set: { dueAt, updatedAt: now }, $inc: { revision: 1 } },
      majority,
    );
  }

  /**
   * Begins the removal of a part, unless it was written since.
   * @param dueAt time at which another process may take it over
   * @returns the part as it is then, or null
   */
  beginRemoval(
    { _id, revision }: UploadPartDocument,
    dueAt: Date,
    now: Date,
  ): Promise<UploadPartDocument | null> {
    return this.#parts.findOneAndUpdate(
      { _id, revision },
      { $set: { state: 'REMOVING', dueAt, updatedAt: now }, $inc: { revision: 1 } },
      { returnDocument: 'after', ...majority },
    );
  }

  /** Removes the record of a part, unless it was written since. */
  async remove({ _id, revision }: UploadPartDocument): Promise<void> {
    await this.#parts.deleteOne({ _id, revision }, majority);
  }

  /** Size of the parts of an experiment, or of one owner in it. */
  async sizeBytes(of: { readonly experiment: string; readonly owner?: string }): Promise<number> {
    const [found] = await this.#parts
      .aggregate<{ bytes: number }>([
        { $match: of },
        { $group: { _id: null, bytes: { $sum: '$sizeBytes' } } },
      ])
      .toArray();
    return found?.bytes ?? 0;
  }
}
