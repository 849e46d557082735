/** Access to the signing keys. */
import { collection, isDuplicateKey } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import { type SigningKeyDocument, signingKeysCollection } from './signing-key.document.js';

/** Collection `signingKeys`. */
export class SigningKeysRepository {
  readonly #keys: Collection<SigningKeyDocument>;

  constructor(db: Db) {
    this.#keys = collection(db, signingKeysCollection);
  }

  /** All keys by generation. */
  all(): Promise<SigningKeyDocument[]> {
    return this.#keys.find({}, { sort: { generation: 1 }, readConcern: 'majority' }).toArray();
  }

  /** Inserts a key. False if another process made that generation. */
  async insert(key: SigningKeyDocument): Promise<boolean> {
    try {
      await this.#keys.insertOne(key);
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  /** Lets a published key sign from a time on. False if it does already. */
  async activate(kid: string, activeFrom: Date, now: Date): Promise<boolean> {
    const { modifiedCount } = await this.#keys.updateOne(
      { _id: kid, activeFrom: null },
      { $set: { activeFrom, updatedAt: now }, $inc: { revision: 1 } },
    );
    return modifiedCount > 0;
  }

  /** Ends keys of earlier generations that have no end yet. */
  async retireBefore(generation: number, retiresAt: Date, now: Date): Promise<void> {
    await this.#keys.updateMany(
      { generation: { $lt: generation }, retiresAt: null },
      { $set: { retiresAt, updatedAt: now }, $inc: { revision: 1 } },
    );
  }

  /** Deletes a key at once. False if there is none. */
  async remove(kid: string): Promise<boolean> {
    const { deletedCount } = await this.#keys.deleteOne({ _id: kid });
    return deletedCount > 0;
  }
}
