/** Access to the issuers and their history. */
import { collection, isDuplicateKey, type KeysetPage, keysetPage } from '@rhizome/mongo';
import type { Collection, Db, Filter } from 'mongodb';
import type { VisibleExperiments } from '../visible-experiments.js';
import {
  type IssuerDocument,
  issuersCollection,
  type IssuerSettingsRecord,
  type IssuerSource,
  type IssuerVersionDocument,
  issuerVersionsCollection,
} from './issuer.document.js';

/** A change of an issuer's record. */
export interface IssuerChange {
  readonly name: string;
  readonly settings: IssuerSettingsRecord;
  readonly by: string;
  readonly source: IssuerSource;
  readonly now: Date;
}

/** Condition for versions whose experiments are all visible; a version that removes the record has none. */
const namesOnly = (visible: readonly string[]): Filter<IssuerVersionDocument> => ({
  'settings.experiments': { $elemMatch: { $in: [...visible] }, $not: { $elemMatch: { $nin: [...visible] } } },
});

/** Collections `issuers` and `issuerVersions`. */
export class IssuersRepository {
  readonly #issuers: Collection<IssuerDocument>;
  readonly #versions: Collection<IssuerVersionDocument>;

  constructor(db: Db) {
    this.#issuers = collection(db, issuersCollection);
    this.#versions = collection(db, issuerVersionsCollection);
  }

  all(): Promise<IssuerDocument[]> {
    return this.#issuers.find({}, { sort: { _id: 1 }, readConcern: 'majority' }).toArray();
  }

  byName(name: string): Promise<IssuerDocument | null> {
    return this.#issuers.findOne({ _id: name });
  }

  byIssuer(issuer: string): Promise<IssuerDocument | null> {
    return this.#issuers.findOne({ issuer });
  }

  /** Writes a record. Null if another issuer has the same `iss`. */
  async set({ name, settings, by, source, now }: IssuerChange): Promise<IssuerDocument | null> {
    try {
      const found = await this.#issuers.findOneAndUpdate(
        { _id: name },
        {
          $set: { ...settings, updatedBy: by, source, updatedAt: now },
          $setOnInsert: { schemaVersion: 1, createdAt: now },
          $inc: { revision: 1 },
        },
        { upsert: true, returnDocument: 'after' },
      );
      if (found) await this.#remember(found, settings);
      return found;
    } catch (error) {
      if (isDuplicateKey(error)) return null;
      throw error;
    }
  }

  /** Removes a record. Null if there is none. */
  async remove(name: string, by: string, now: Date): Promise<IssuerDocument | null> {
    const removed = await this.#issuers.findOneAndDelete({ _id: name });
    if (!removed) return null;
    await this.#remember({ ...removed, revision: removed.revision + 1, updatedBy: by, updatedAt: now }, null);
    return removed;
  }

  /**
   * A page of the versions of an issuer that name only visible experiments, the newest first.
   * @throws DomainError CURSOR_INVALID
   */
  history(
    name: string,
    visible: VisibleExperiments,
    first: number,
    after: string | null | undefined,
  ): Promise<KeysetPage<IssuerVersionDocument>> {
    const filter = { name, ...(visible !== '*' && namesOnly(visible)) };
    const order = [{ field: 'createdAt', direction: -1 }] as const;
    return keysetPage({ collection: this.#versions, filter, order, first, after });
  }

  async #remember(
    { _id: name, revision, updatedAt, updatedBy, source }: IssuerDocument,
    settings: IssuerSettingsRecord | null,
  ): Promise<void> {
    const entry = { schemaVersion: 1, name, revision, createdAt: updatedAt, updatedBy, source, settings };
    // An issuer that was removed and made again counts from 1 again.
    await this.#versions.insertOne({ _id: `${name}#${updatedAt.getTime()}#${revision}`, ...entry });
  }
}
