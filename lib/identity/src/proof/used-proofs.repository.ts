/** Access to the used proofs. */
import { collection, isDuplicateKey } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import { type UsedProofDocument, usedProofsCollection } from './used-proof.document.js';

/** Collection `usedProofs`. */
export class UsedProofsRepository {
  readonly #proofs: Collection<UsedProofDocument>;

  constructor(db: Db) {
    this.#proofs = collection(db, usedProofsCollection);
  }

  /** Marks a proof as used. False if it was used before, at any gateway. */
  async use(id: string, expiresAt: Date): Promise<boolean> {
    try {
      await this.#proofs.insertOne({ _id: id, schemaVersion: 1, expiresAt });
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }
}
