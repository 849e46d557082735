/** Access to the collection of shares. */
import type { Collection } from 'mongodb';
import { Directory } from '../shared/directory.repository.js';
import type { SharesDocument, StoredShareLeaf } from './share.document.js';

/** Stored shares. */
export class SharesRepository {
  readonly directory: Directory<SharesDocument>;
  readonly #shares: Collection<SharesDocument>;

  constructor(shares: Collection<SharesDocument>) {
    this.#shares = shares;
    this.directory = new Directory(shares);
  }

  /** Gives an experiment these leaves unless it has some. */
  async prepare(experiment: string, leaves: readonly StoredShareLeaf[], at: Date): Promise<void> {
    const fresh = { schemaVersion: 1, revision: 1, createdAt: at, updatedAt: at, leaves };
    const stored = await this.#shares.findOneAndUpdate(
      { _id: experiment },
      { $setOnInsert: fresh },
      { upsert: true, returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
    if (stored) this.directory.set(stored);
  }

  /** Sets all leaves of an experiment. */
  async set(
    experiment: string,
    leaves: readonly StoredShareLeaf[],
    at: Date,
  ): Promise<SharesDocument | null> {
    const stored = await this.#shares.findOneAndUpdate(
      { _id: experiment },
      {
        $set: { leaves, updatedAt: at },
        $setOnInsert: { schemaVersion: 1, createdAt: at },
        $inc: { revision: 1 },
      },
      { upsert: true, returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
    if (stored) this.directory.set(stored);
    return stored;
  }
}
