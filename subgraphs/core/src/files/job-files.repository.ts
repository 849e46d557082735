/** Access to the collection of files of jobs. */
import type { Collection } from 'mongodb';
import { type JobFilesDocument, jobFilesSchemaVersion } from './job-files.document.js';

const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored records of the files of jobs. */
export class JobFilesRepository {
  readonly #files: Collection<JobFilesDocument>;

  constructor(files: Collection<JobFilesDocument>) {
    this.#files = files;
  }

  /** Records that a job may have files in a storage from now on. */
  async open(
    { jobId, storage, prefix }: { readonly jobId: string; readonly storage: string; readonly prefix: string },
    now: Date,
    dueAt: Date,
  ): Promise<void> {
    await this.#files.updateOne(
      { _id: jobId },
      {
        $setOnInsert: { schemaVersion: jobFilesSchemaVersion, createdAt: now, prefix },
        $addToSet: { storages: storage },
        $set: { updatedAt: now, isOpen: true, dueAt },
        $inc: { revision: 1 },
      },
      { upsert: true, ...majority },
    );
  }

  /** Records that are due, in this order. */
  async due(now: Date, limit: number): Promise<readonly JobFilesDocument[]> {
    return this.#files.find({ dueAt: { $lte: now } }, { sort: { dueAt: 1 }, limit }).toArray();
  }

  /** Postpones a record, unless it was written since. */
  async postpone(
    { _id, revision }: JobFilesDocument,
    change: { readonly dueAt: Date; readonly isOpen: boolean },
    now: Date,
  ): Promise<void> {
    await this.#files.updateOne(
      { _id, revision },
      { $set: { ...change, updatedAt: now }, $inc: { revision: 1 } },
      majority,
    );
  }

  /** Removes a record, unless it was written since. */
  async remove({ _id, revision }: JobFilesDocument): Promise<void> {
    await this.#files.deleteOne({ _id, revision }, majority);
  }

  /** Ids of jobs that may still write to a storage, in no order. */
  async *openIn(storage: string, signal: AbortSignal): AsyncGenerator<string> {
    const open = { storages: storage, isOpen: true };
    for await (const { _id } of this.#files.find(open, { projection: { _id: 1 }, signal })) yield _id;
  }
}
