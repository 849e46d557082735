import { isDuplicateKey } from '@rhizome/mongo';
import type { Collection } from 'mongodb';
import type { SubmissionDocument } from './submission.document.js';

/** Submits by idempotency key. */
export class SubmissionsRepository {
  readonly #submissions: Collection<SubmissionDocument>;

  constructor(submissions: Collection<SubmissionDocument>) {
    this.#submissions = submissions;
  }

  /** Returns the submit with this key, or null. */
  async find(id: string): Promise<SubmissionDocument | null> {
    return this.#submissions.findOne({ _id: id }, { readConcern: { level: 'majority' } });
  }

  /**
   * Reserves a key. Resolves when the write is acknowledged by the majority. @returns the given document, or
   * the one that already has the key
   */
  async reserve(document: SubmissionDocument): Promise<SubmissionDocument> {
    try {
      await this.#submissions.insertOne(document, { writeConcern: { w: 'majority' } });
      return document;
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      const earlier = await this.find(document._id);
      if (!earlier) throw error;
      return earlier;
    }
  }

  /** Records that all promised documents are written. */
  async done(id: string, now: Date): Promise<void> {
    await this.#submissions.updateOne(
      { _id: id, doneAt: { $exists: false } },
      { $set: { doneAt: now }, $inc: { revision: 1 } },
    );
  }
}
