/** Access to the keys of robots. */
import { collection, isDuplicateKey } from '@rhizome/mongo';
import type { Collection, Db, Filter } from 'mongodb';
import { type RobotKeyDocument, robotKeysCollection } from './robot-key.document.js';

/** Keys of one robot that are listed. */
const maxListed = 100;

/** Condition for keys that have not ended. */
const usable = (now: Date) => ({ endedAt: null, expiresAt: { $gt: now } });

/** Collection `robotKeys`. */
export class RobotKeysRepository {
  readonly #keys: Collection<RobotKeyDocument>;

  constructor(db: Db) {
    this.#keys = collection(db, robotKeysCollection);
  }

  /** Inserts a key. False if it was registered before. */
  async insert(key: RobotKeyDocument): Promise<boolean> {
    try {
      await this.#keys.insertOne(key, { writeConcern: { w: 'majority' } });
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  key(id: string): Promise<RobotKeyDocument | null> {
    return this.#keys.findOne({ _id: id });
  }

  /** Keys of a robot, the newest first. */
  keysOf(robotId: string): Promise<readonly RobotKeyDocument[]> {
    return this.#newest({ robotId });
  }

  /** Keys of a robot that have not ended, also those that are too old for the list of all. */
  usable(robotId: string, now: Date): Promise<readonly RobotKeyDocument[]> {
    return this.#newest({ robotId, ...usable(now) });
  }

  /** Ends a key. Null if it has ended already. */
  end(id: string, by: string, now: Date): Promise<RobotKeyDocument | null> {
    return this.#keys.findOneAndUpdate(
      { _id: id, endedAt: null },
      { $set: { endedAt: now, endedBy: by, updatedAt: now }, $inc: { revision: 1 } },
      { returnDocument: 'after', writeConcern: { w: 'majority' } },
    );
  }

  /** Records a use. False if the key has ended in the meantime. */
  async recordUse(id: string, now: Date): Promise<boolean> {
    const { matchedCount } = await this.#keys.updateOne(
      { _id: id, ...usable(now) },
      { $max: { lastUsedAt: now } },
    );
    return matchedCount > 0;
  }

  #newest(filter: Filter<RobotKeyDocument>): Promise<readonly RobotKeyDocument[]> {
    const options = { sort: { createdAt: -1 }, limit: maxListed, readConcern: 'majority' } as const;
    return this.#keys.find(filter, options).toArray();
  }
}
