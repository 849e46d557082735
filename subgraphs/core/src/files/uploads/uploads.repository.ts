/** Access to the collection of uploads. */
import { keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection } from 'mongodb';
import { insertUnlessTaken } from '../../shared/duplicate-keys.repository.js';
import type { UploadDocument } from './upload.document.js';

/** An upload by its content. */
export type UploadContent = Pick<UploadDocument, 'owner' | 'experiment' | 'storage' | 'digest'>;

/** Numbers of uploads and of their files. */
export interface UploadCounts {
  readonly uploads: number;
  readonly files: number;
}

const notRemoved = { removedAt: { $exists: false } } as const;
const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored uploads. */
export class UploadsRepository {
  readonly #uploads: Collection<UploadDocument>;

  constructor(uploads: Collection<UploadDocument>) {
    this.#uploads = uploads;
  }

  /** The upload with this id, or null. */
  find(id: string): Promise<UploadDocument | null> {
    return this.#uploads.findOne({ _id: id });
  }

  /** The uploads with these ids that can be used, in any order; without their parts. */
  ready(ids: readonly string[]): Promise<readonly Omit<UploadDocument, 'parts'>[]> {
    return this.#uploads
      .find({ _id: { $in: [...ids] }, state: 'READY', ...notRemoved }, { projection: { parts: 0 } })
      .toArray();
  }

  /** The upload of an owner with this content, or null. */
  withContent({ owner, experiment, storage, digest }: UploadContent): Promise<UploadDocument | null> {
    return this.#uploads.findOne({ owner, experiment, storage, digest });
  }

  /** Uploads of an owner, the newest first. */
  ofOwner(
    owner: string,
    { first, after }: { readonly first: number; readonly after?: string | null | undefined },
  ): Promise<KeysetPage<UploadDocument>> {
    return keysetPage({
      ...{ collection: this.#uploads, filter: { owner, ...notRemoved }, first, after },
      order: [{ field: '_id', direction: -1 }],
      exclude: ['parts'],
    });
  }

  /** Inserts an upload. @returns false if the owner has one with this content */
  insert(upload: UploadDocument): Promise<boolean> {
    return insertUnlessTaken(this.#uploads, upload);
  }

  /** Marks an upload as complete. @returns null if it was removed */
  complete(id: string, now: Date, expiresAt: Date): Promise<UploadDocument | null> {
    return this.#uploads.findOneAndUpdate(
      { _id: id, ...notRemoved },
      { $set: { state: 'READY', updatedAt: now, lastUsedAt: now, expiresAt }, $inc: { revision: 1 } },
      { returnDocument: 'after', ...majority },
    );
  }

  /** Records a use, and keeps the upload until then. @returns false if it was removed */
  async use(id: string, now: Date, expiresAt: Date): Promise<boolean> {
    const { matchedCount } = await this.#uploads.updateOne(
      { _id: id, ...notRemoved },
      { $max: { lastUsedAt: now, expiresAt }, $set: { updatedAt: now }, $inc: { revision: 1 } },
      majority,
    );
    return matchedCount === 1;
  }

  /** Keeps an upload that is created again, also if its owner has removed it. @returns false if it is gone */
  async keep(id: string, now: Date, expiresAt: Date): Promise<boolean> {
    const { matchedCount } = await this.#uploads.updateOne(
      { _id: id },
      {
        $max: { lastUsedAt: now, expiresAt },
        $set: { updatedAt: now },
        $unset: { removedAt: '' },
        $inc: { revision: 1 },
      },
      majority,
    );
    return matchedCount === 1;
  }

  /**
   * Lets no job name an upload any more, unless it was written since.
   * @param expiresAt time from which the leader may remove it
   * @returns false if it was written
   */
  async beginRemoval(
    { _id, revision }: Pick<UploadDocument, '_id' | 'revision'>,
    expiresAt: Date,
    now: Date,
  ): Promise<boolean> {
    const { matchedCount } = await this.#uploads.updateOne(
      { _id, revision },
      { $set: { removedAt: now, expiresAt, updatedAt: now }, $inc: { revision: 1 } },
      majority,
    );
    return matchedCount === 1;
  }

  /** Uploads that may be removed, the longest expired first. */
  expired(now: Date, limit: number): Promise<readonly UploadDocument[]> {
    return this.#uploads.find({ expiresAt: { $lte: now } }, { sort: { expiresAt: 1 }, limit }).toArray();
  }

  /** Postpones the end of an upload, unless it was written since. */
  async postpone({ _id, revision }: UploadDocument, expiresAt: Date, now: Date): Promise<void> {
    await this.#uploads.updateOne(
      { _id, revision },
      { $set: { expiresAt, updatedAt: now }, $inc: { revision: 1 } },
      majority,
    );
  }

  /** Removes an upload, unless it was written since. @returns false if it was */
  async remove({ _id, revision }: Pick<UploadDocument, '_id' | 'revision'>): Promise<boolean> {
    return (await this.#uploads.deleteOne({ _id, revision }, majority)).deletedCount === 1;
  }

  /** True if an upload of the owner has the part. */
  async refersTo({
    owner,
    experiment,
    storage,
    sha256,
  }: Pick<UploadDocument, 'owner' | 'experiment' | 'storage'> & {
    readonly sha256: string;
  }): Promise<boolean> {
    const filter = { owner, experiment, storage, 'parts.sha256': sha256 };
    return (await this.#uploads.findOne(filter, { projection: { _id: 1 } })) !== null;
  }

  /** Number of the uploads of an experiment, or of one owner in it, and of the files in them. */
  async counts(of: { readonly experiment: string; readonly owner?: string }): Promise<UploadCounts> {
    const [found] = await this.#uploads
      .aggregate<UploadCounts>([
        { $match: of },
        { $group: { _id: null, uploads: { $sum: 1 }, files: { $sum: '$fileCount' } } },
      ])
      .toArray();
    return found ?? { uploads: 0, files: 0 };
  }

  /** Ids of the uploads in a storage, in no order. */
  async *idsIn(storage: string, signal: AbortSignal): AsyncGenerator<string> {
    for await (const { _id } of this.#uploads.find({ storage }, { projection: { _id: 1 }, signal }))
      yield _id;
  }
}
