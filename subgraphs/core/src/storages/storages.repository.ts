/** Access to the collection of storages. */
import type { Collection } from 'mongodb';
import { Directory } from '../shared/directory.repository.js';
import { insertUnlessTaken } from '../shared/duplicate-keys.repository.js';
import type { StorageDocument } from './storage.document.js';

const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored storages, the removed ones included. */
export class StoragesRepository {
  readonly directory: Directory<StorageDocument>;
  readonly #storages: Collection<StorageDocument>;

  constructor(storages: Collection<StorageDocument>) {
    this.#storages = storages;
    this.directory = new Directory(storages);
  }

  /** Inserts a storage. @returns false if there is one of this name */
  async insert(storage: StorageDocument): Promise<boolean> {
    const isInserted = await insertUnlessTaken(this.#storages, storage);
    if (isInserted) this.directory.set(storage);
    return isInserted;
  }

  /** Replaces a storage that still has the previous revision. @returns false if it has another one */
  async replace(next: StorageDocument): Promise<boolean> {
    const { matchedCount } = await this.#storages.replaceOne(
      { _id: next._id, revision: next.revision - 1 },
      next,
      majority,
    );
    if (matchedCount === 1) this.directory.set(next);
    return matchedCount === 1;
  }
}
