/** Access to the collection of access grants. */
import { keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Filter } from 'mongodb';
import { Directory } from '../shared/directory.repository.js';
import type { AccessGrantDocument, AccessKey } from './access-grant.document.js';

/** Grants that a caller may list. */
export interface AccessVisibility {
  readonly subject: string;
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
  readonly #grants: Collection<AccessGrantDocument>;

  constructor(grants: Collection<AccessGrantDocument>) {
    this.#grants = grants;
    this.directory = new Directory(grants);
  }

  /** Stores a grant, or changes the one with its key. @returns the stored grant */
  async put(grant: AccessGrantDocument): Promise<AccessGrantDocument> {
    const { _id, schemaVersion, createdAt, updatedAt, level, reason, grantedBy, expiresAt } = grant;
    const stored = await this.#grants.findOneAndUpdate(
      keyOf(grant),
      {
        $set: { updatedAt, level, reason, grantedBy, expiresAt },
        $setOnInsert: { _id, schemaVersion, createdAt },
        $inc: { revision: 1 },
      },
      { upsert: true, returnDocument: 'after', ...majority },
    );
    if (!stored) throw new TypeError('An upsert returned no document');
    this.directory.set(stored);
    return stored;
  }

  find(id: string): Promise<AccessGrantDocument | null> {
    return this.#grants.findOne({ _id: id });
  }

  /** Number of grants for jobs of an owner that have not ended, without the one with this key. */
  countOthers(key: AccessKey, now: Date): Promise<number> {
    const { experiment, owner } = key;
    return this.#grants.countDocuments({ experiment, owner, expiresAt: { $gt: now }, $nor: [keyOf(key)] });
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
    { subject, groups, managed }: AccessVisibility,
    now: Date,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<AccessGrantDocument>> {
    const own = [{ owner: subject }, { grantee: subject }, { groupId: { $in: [...groups] } }];
    const seen: Filter<AccessGrantDocument> =
      managed === '*' ? {} : { $or: [...own, { experiment: { $in: [...managed] } }] };
    const order = [{ field: '_id', direction: -1 }] as const;
    const filter = { ...seen, expiresAt: { $gt: now } } as Filter<AccessGrantDocument>;
    return keysetPage({ collection: this.#grants, filter, order, ...page });
  }
}
