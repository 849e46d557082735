/** Access to the collection of secrets. */
import type { Collection } from 'mongodb';
import { insertUnlessTaken } from '../shared/duplicate-keys.repository.js';
import type { Envelope } from './envelope.js';
import {
  keptVersions,
  type SecretDocument,
  type SecretScope,
  type SecretVersion,
} from './secret.document.js';

/** Holder of secrets. */
export interface SecretHolder {
  readonly scope: SecretScope;
  readonly holder: string;
}

/** Number and size of secrets. */
export interface SecretUsage {
  readonly count: number;
  readonly bytes: number;
}

/** Content of a new version. */
export interface NewVersion {
  readonly version: SecretVersion;
  readonly envelope: Envelope;
  readonly bytes: number;
}

const majority = { writeConcern: { w: 'majority' } } as const;
const limit = 1000;

/** Stored secrets. */
export class SecretsRepository {
  readonly #secrets: Collection<SecretDocument>;

  constructor(secrets: Collection<SecretDocument>) {
    this.#secrets = secrets;
  }

  /** The secret with this id, or null. */
  find(id: string): Promise<SecretDocument | null> {
    return this.#secrets.findOne({ _id: id });
  }

  /** The secrets with these ids, in any order. */
  findMany(ids: readonly string[]): Promise<readonly SecretDocument[]> {
    return this.#secrets.find({ _id: { $in: [...ids] } }).toArray();
  }

  /** The secrets of a holder, by name. */
  ofHolder({ scope, holder }: SecretHolder): Promise<readonly SecretDocument[]> {
    return this.#secrets.find({ scope, holder }).sort({ name: 1 }).limit(limit).toArray();
  }

  /** The secrets of a holder with these names, in any order. */
  named({ scope, holder }: SecretHolder, names: readonly string[]): Promise<readonly SecretDocument[]> {
    return this.#secrets.find({ scope, holder, name: { $in: [...names] } }).toArray();
  }

  /** Number and size of the secrets of a holder. */
  async usage({ scope, holder }: SecretHolder): Promise<SecretUsage> {
    const [usage] = await this.#secrets
      .aggregate<SecretUsage>([
        { $match: { scope, holder } },
        { $group: { _id: null, count: { $sum: 1 }, bytes: { $sum: '$bytes' } } },
      ])
      .toArray();
    return usage ?? { count: 0, bytes: 0 };
  }

  /** Inserts a secret. @returns false if the holder has one of this name */
  insert(secret: SecretDocument): Promise<boolean> {
    return insertUnlessTaken(this.#secrets, secret);
  }

  /** Adds a version to a secret of this revision. @returns the secret, or null if it was changed meanwhile */
  addVersion(
    { _id, revision }: Pick<SecretDocument, '_id' | 'revision'>,
    { version, envelope, bytes }: NewVersion,
  ): Promise<SecretDocument | null> {
    return this.#secrets.findOneAndUpdate(
      { _id, revision },
      {
        $set: { envelope, bytes, updatedAt: version.createdAt },
        $push: { versions: { $each: [version], $position: 0, $slice: keptVersions } },
        $inc: { revision: 1 },
      },
      { returnDocument: 'after', ...majority },
    );
  }

  /** Removes a secret. */
  async remove(id: string): Promise<void> {
    await this.#secrets.deleteOne({ _id: id }, majority);
  }

  /** Stores the time of a delivery. */
  async used(ids: readonly string[], at: Date): Promise<void> {
    await this.#secrets.updateMany({ _id: { $in: [...ids] } }, { $max: { lastUsedAt: at } });
  }

  /** Secrets whose data key another master key wraps, by id, at most `most` after the id `after`. */
  underOtherKeys(keyId: string, most: number, after: string): Promise<readonly SecretDocument[]> {
    return this.#secrets
      .find({ _id: { $gt: after }, 'envelope.keyId': { $ne: keyId } })
      .sort({ _id: 1 })
      .limit(most)
      .toArray();
  }

  /** Stores the data key under another master key, unless the secret was changed meanwhile. */
  async replaceKey({ _id, envelope: old }: SecretDocument, { keyId, wrappedKey }: Envelope): Promise<void> {
    await this.#secrets.updateOne(
      { _id, 'envelope.wrappedKey': old.wrappedKey },
      { $set: { 'envelope.keyId': keyId, 'envelope.wrappedKey': wrappedKey } },
      majority,
    );
  }
}
