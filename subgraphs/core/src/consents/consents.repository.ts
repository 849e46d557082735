/** Access to the collection of consents. */
import type { Collection } from 'mongodb';
import type { ConsentDocument } from './consent.document.js';

/** Stored consents. */
export class ConsentsRepository {
  readonly #consents: Collection<ConsentDocument>;

  constructor(consents: Collection<ConsentDocument>) {
    this.#consents = consents;
  }

  /** The consent with this id, or null. */
  find(id: string): Promise<ConsentDocument | null> {
    return this.#consents.findOne({ _id: id });
  }

  /** The consents of a person, by experiment. */
  ofSubject(subject: string): Promise<readonly ConsentDocument[]> {
    return this.#consents.find({ subject }).sort({ experiment: 1 }).limit(1000).toArray();
  }

  /** Stores a consent, or renews the one with its id. @returns the stored consent */
  async put({ _id, expiresAt, updatedAt, secretNames, ...rest }: ConsentDocument): Promise<ConsentDocument> {
    const { revision: _first, ...onInsert } = rest;
    const change = { expiresAt, updatedAt, secretNames: secretNames ?? [] };
    const stored = await this.#consents.findOneAndUpdate(
      { _id },
      { $set: change, $setOnInsert: onInsert, $inc: { revision: 1 } },
      { upsert: true, returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
    return stored ?? { _id, ...change, ...rest };
  }

  /** Removes a consent. @returns whether there was one */
  async remove(id: string): Promise<boolean> {
    const { deletedCount } = await this.#consents.deleteOne({ _id: id }, { writeConcern: { w: 'majority' } });
    return deletedCount > 0;
  }
}
