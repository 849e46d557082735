/** Access to the failures of logins and codes. */
import { collection } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import { type FailedGuessesDocument, failedGuessesCollection } from './failed-guess.document.js';

/** Collection `failedGuesses`. */
export class FailedGuessesRepository {
  readonly #failures: Collection<FailedGuessesDocument>;

  constructor(db: Db) {
    this.#failures = collection(db, failedGuessesCollection);
  }

  /** Adds a failure and returns the last `most`, those of other gateways included. */
  async add(id: string, at: Date, expiresAt: Date, most: number): Promise<readonly Date[]> {
    const found = await this.#failures.findOneAndUpdate(
      { _id: id },
      {
        $push: { failedAt: { $each: [at], $sort: 1, $slice: -most } },
        $max: { expiresAt },
        $setOnInsert: { schemaVersion: 1 },
      },
      { upsert: true, returnDocument: 'after' },
    );
    return found?.failedAt ?? [at];
  }

  /** The failures that count, of these addresses or of all. */
  current(now: Date, ids: readonly string[] | undefined): Promise<FailedGuessesDocument[]> {
    const filter = { expiresAt: { $gt: now }, ...(ids && { _id: { $in: [...ids] } }) };
    return this.#failures.find(filter).toArray();
  }
}
