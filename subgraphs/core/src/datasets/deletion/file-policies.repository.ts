/** Access to the collection of file policies. */
import { collection, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Db, Filter } from 'mongodb';
import { insertUnlessTaken } from '../../shared/duplicate-keys.repository.js';
import { type Visibility, visibleIn } from '../../shared/visibility.js';
import {
  filePoliciesCollection,
  type FilePolicyDocument,
  type FilePolicyRun,
  type FilePolicyVersion,
  keptVersions,
} from './file-policy.document.js';

/** Filter of file policies; absent fields do not filter. */
export interface FilePolicyFilter {
  readonly experiments?: readonly string[] | null | undefined;
  readonly names?: readonly string[] | null | undefined;
}

const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored file policies. */
export class FilePoliciesRepository {
  readonly #policies: Collection<FilePolicyDocument>;

  constructor(db: Db) {
    this.#policies = collection(db, filePoliciesCollection);
  }

  /** The policy of an experiment with this name, or null. */
  named(experiment: string, name: string): Promise<FilePolicyDocument | null> {
    return this.#policies.findOne({ experiment, name }, { readConcern: 'majority' });
  }

  /** Inserts a policy. @returns false if the experiment has one with this name */
  insert(policy: FilePolicyDocument): Promise<boolean> {
    return insertUnlessTaken(this.#policies, policy);
  }

  /** Adds a version. @returns null if the policy was written since it was read */
  addVersion(
    { _id, revision }: Pick<FilePolicyDocument, '_id' | 'revision'>,
    version: FilePolicyVersion,
  ): Promise<FilePolicyDocument | null> {
    const { at, isEnabled } = version;
    return this.#policies.findOneAndUpdate(
      { _id, revision },
      {
        $push: { versions: { $each: [version], $position: 0, $slice: keptVersions } },
        $set: { updatedAt: at, ...(isEnabled ? { nextAt: at } : {}) },
        ...(isEnabled ? {} : { $unset: { nextAt: 1 as const } }),
        $inc: { revision: 1 },
      },
      { returnDocument: 'after', ...majority },
    );
  }

  /** Policies to apply, the earliest first. */
  due(now: Date, limit: number): Promise<readonly FilePolicyDocument[]> {
    const order = { sort: { nextAt: 1 }, limit, hint: 'nextAt_idx' } as const;
    return this.#policies.find({ nextAt: { $lte: now } }, order).toArray();
  }

  /** True if a policy was not written since it was read. */
  async isCurrent({ _id, revision }: Pick<FilePolicyDocument, '_id' | 'revision'>): Promise<boolean> {
    const options = { projection: { _id: 1 }, readConcern: { level: 'majority' } } as const;
    return (await this.#policies.findOne({ _id, revision }, options)) !== null;
  }

  /** Records what a policy did, unless it was written since. */
  async applied(
    { _id, revision }: Pick<FilePolicyDocument, '_id' | 'revision'>,
    nextAt: Date,
    lastRun: FilePolicyRun | undefined,
  ): Promise<void> {
    await this.#policies.updateOne(
      { _id, revision },
      { $set: { nextAt, ...(lastRun ? { lastRun } : {}) }, $inc: { revision: 1 } },
      majority,
    );
  }

  /** A page of policies, by id. @throws DomainError CURSOR_INVALID */
  page(
    { experiments, names }: FilePolicyFilter,
    visibility: Visibility,
    page: { readonly first: number; readonly after: string | null | undefined },
  ): Promise<KeysetPage<FilePolicyDocument>> {
    const filter = {
      $and: [
        visibleIn(visibility),
        ...(experiments ? [{ experiment: { $in: [...experiments] } }] : []),
        ...(names ? [{ name: { $in: [...names] } }] : []),
      ],
    } as Filter<FilePolicyDocument>;
    return keysetPage({
      ...{ collection: this.#policies, filter, order: [{ field: '_id', direction: 1 }] },
      ...page,
    });
  }
}
