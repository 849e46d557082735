/** Access to the revocations, and the stream of changes that all processes follow. */
import { collection, watchCollections } from '@rhizome/mongo';
import type { ChangeStream, Collection, Db } from 'mongodb';
import { failedGuessesCollection } from '../guesses/failed-guess.document.js';
import { webSessionsCollection } from '../sessions/web-session.document.js';
import { upserted } from '../store/upserted.js';
import { signingKeysCollection } from '../tokens/signing-key.document.js';
import { type RevocationDocument, revocationsCollection } from './revocation.document.js';

/** A revocation to write. */
export type RevocationEntry = Pick<
  RevocationDocument,
  'kind' | 'value' | 'notBefore' | 'expiresAt' | 'reason' | 'revokedBy'
>;

/** Collection `revocations`. */
export class RevocationsRepository {
  readonly #db: Db;
  readonly #revocations: Collection<RevocationDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#revocations = collection(db, revocationsCollection);
  }

  all(): Promise<RevocationDocument[]> {
    return this.#revocations.find({}, { sort: { _id: 1 }, readConcern: 'majority' }).toArray();
  }

  /** Writes a revocation; one that exists already is extended, never shortened. */
  async add(
    { kind, value, notBefore, expiresAt, reason, revokedBy }: RevocationEntry,
    now: Date,
  ): Promise<RevocationDocument> {
    const found = await this.#revocations.findOneAndUpdate(
      { _id: `${kind}:${value}` },
      {
        $set: { reason, revokedBy, updatedAt: now },
        $max: { notBefore, expiresAt },
        $setOnInsert: { schemaVersion: 1, createdAt: now, kind, value },
        $inc: { revision: 1 },
      },
      { upsert: true, returnDocument: 'after' },
    );
    return upserted(found);
  }

  /**
   * Streams each change of the revocations, the signing keys, the failed guesses and the sessions of
   * browsers, from the call on.
   */
  watch(): Promise<ChangeStream> {
    const ofLogins = [failedGuessesCollection, webSessionsCollection];
    const followed = [revocationsCollection, signingKeysCollection, ...ofLogins];
    return watchCollections(this.#db, followed);
  }
}
