/** Access to the collection of access grants. */
import { collection, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { ClientSession, Collection, Db, Filter } from 'mongodb';
import { Directory } from '../shared/directory.repository.js';
import { type AccessGrantDocument, accessGrantsCollection, type AccessKey } from './access-grant.document.js';
import { type AccessOwnerDocument, accessOwnersCollection } from './access-owner.document.js';

/** Grants that a caller may list. */
export interface AccessVisibility {
  readonly subject: string;
  /** Owners whose jobs are the caller's: itself and its linked identities. */
  readonly owners: readonly string[];
  /** Groups of the caller. */
  readonly groups: readonly string[];
  /** Experiments in which the caller manages the jobs of all owners; `*` for all. */
  readonly managed: '*' | readonly string[];
}

const majority = { writeConcern: { w: 'majority' } } as const;

function keyOf({ experiment, owner, jobId, taskId, share, grantee, groupId }: AccessKey): AccessKey {
  return { experiment, owner, jobId, taskId, share, grantee, groupId };
}

/** Stored access grants, held in memory. */
export class AccessGrantsRepository {
  readonly directory: Directory<AccessGrantDocument>;
  readonly #db: Db;
  readonly #grants: Collection<AccessGrantDocument>;
  readonly #owners: Collection<AccessOwnerDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#grants = collection(db, accessGrantsCollection);
    this.#owners = collection(db, accessOwnersCollection);
    this.directory = new Directory(this.#grants);
  }

  /**
   * Stores a grant, or changes the one with its key.
   * @param most grants for the jobs of the owner that may be active at once, also after concurrent calls
   * @returns the stored grant; null if there are too many others
   */
  async put(grant: AccessGrantDocument, most: number): Promise<AccessGrantDocument | null> {
    const stored = await this.#db.client.withSession((session) =>
      session.withTransaction(async () => {
        // Of concurrent transactions with a write to the same document, one commits; the others run again.
        await this.#touchOwner(grant, session);
        const others = await this.#countOthers(grant, most, session);
        return others < most ? this.#upsert(grant, session) : null;
      }, majority),
    );
    if (stored) this.directory.set(stored);
    return stored;
  }

  async #touchOwner(
    { experiment, owner, updatedAt }: AccessGrantDocument,
    session: ClientSession,
  ): Promise<void> {
    const _id = JSON.stringify([experiment, owner]);
    const change = { $set: { updatedAt }, $inc: { revision: 1 }, $setOnInsert: { schemaVersion: 1 } };
    await this.#owners.updateOne({ _id }, change, { upsert: true, session });
  }

  /** Number of grants for jobs of the owner that have not ended, without the one with this key. */
  #countOthers(grant: AccessGrantDocument, limit: number, session: ClientSession): Promise<number> {
    const { experiment, owner, updatedAt: now } = grant;
    const filter = { experiment, owner, expiresAt: { $gt: now }, $nor: [keyOf(grant)] };
    return this.#grants.countDocuments(filter, { limit, session });
  }

  async #upsert(grant: AccessGrantDocument, session: ClientSession): Promise<AccessGrantDocument> {
    const { _id, schemaVersion, createdAt, updatedAt, level, reason, grantedBy, expiresAt } = grant;
    const stored = await this.#grants.findOneAndUpdate(
      keyOf(grant),
      {
        $set: { updatedAt, level, reason, grantedBy, expiresAt },
        $setOnInsert: { _id, schemaVersion, createdAt },
        $inc: { revision: 1 },
      },
      { upsert: true, returnDocument: 'after', session },
    );
    if (!stored) throw new TypeError('An upsert returned no document');
    return stored;
  }

  find(id: string): Promise<AccessGrantDocument | null> {
    return this.#grants.findOne({ _id: id });
  }

  /** Ends a grant now; null for one that has ended. */
  async end(id: string, now: Date): Promise<AccessGrantDocument | null> {
    const ended = await this.#grants.findOneAndUpdate(
      { _id: id, expiresAt: { $gt: now } },
      { $set: { expiresAt: now, updatedAt: now }, $inc: { revision: 1 } },
      { returnDocument: 'after', ...majority },
    );
    if (ended) this.directory.set(ended);
    return ended;
  }

  /** A page of the grants that have not ended, the newest first. @throws DomainError CURSOR_INVALID */
  page(
    { subject, owners, groups, managed }: AccessVisibility,
    now: Date,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<AccessGrantDocument>> {
    const own = [{ owner: { $in: [...owners] } }, { grantee: subject }, { groupId: { $in: [...groups] } }];
    const seen: Filter<AccessGrantDocument> =
      managed === '*' ? {} : { $or: [...own, { experiment: { $in: [...managed] } }] };
    const order = [{ field: '_id', direction: -1 }] as const;
    const filter = { ...seen, expiresAt: { $gt: now } } as Filter<AccessGrantDocument>;
    return keysetPage({ collection: this.#grants, filter, order, ...page });
  }
}
