/** Access to refresh tokens. */
import { collection } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import {
  keptSecrets,
  type RefreshFamilyDocument,
  refreshFamiliesCollection,
} from './refresh-family.document.js';

/** The next secret of a family, and the state that it follows from. */
export interface Rotation {
  readonly id: string;
  readonly revision: number;
  readonly next: string;
  /** The secret that was presented. */
  readonly presented: string;
  readonly isGrace: boolean;
  readonly now: Date;
}

/** Collection `refreshFamilies`. */
export class RefreshFamiliesRepository {
  readonly #families: Collection<RefreshFamilyDocument>;

  constructor(db: Db) {
    this.#families = collection(db, refreshFamiliesCollection);
  }

  async insert(family: RefreshFamilyDocument): Promise<void> {
    await this.#families.insertOne(family);
  }

  byId(id: string): Promise<RefreshFamilyDocument | null> {
    return this.#families.findOne({ _id: id }, { readConcern: 'majority' });
  }

  /** Replaces the secret. False if another request did in the meantime. */
  async rotate({ id, revision, next, presented, isGrace, now }: Rotation): Promise<boolean> {
    const { modifiedCount } = await this.#families.updateOne(
      { _id: id, revision },
      {
        $set: { current: next, previous: presented, isGraceUsed: isGrace, updatedAt: now },
        $push: { used: { $each: [presented], $slice: -keptSecrets } },
        $inc: { revision: 1 },
      },
    );
    return modifiedCount > 0;
  }

  async remove(id: string): Promise<boolean> {
    const { deletedCount } = await this.#families.deleteOne({ _id: id });
    return deletedCount > 0;
  }

  async removeOf(principalId: string): Promise<void> {
    await this.#families.deleteMany({ principalId });
  }
}
