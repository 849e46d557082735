/** Access to the keys of robots. */
import { collection, isDuplicateKey } from '@rhizome/mongo';
import type { ClientSession, Collection, Db, Filter } from 'mongodb';
import { inPrincipalTransaction } from '../principals/principal-transaction.repository.js';
import { type RobotKeyDocument, robotKeysCollection } from './robot-key.document.js';

/** Keys of one robot that are listed. */
const maxListed = 100;

/** Condition for keys that have not ended. */
const usable = (now: Date) => ({ endedAt: null, expiresAt: { $gt: now } });

/** Collection `robotKeys`. */
export class RobotKeysRepository {
  readonly #db: Db;
  readonly #keys: Collection<RobotKeyDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#keys = collection(db, robotKeysCollection);
  }

  /**
   * Inserts a key, or returns the reason for the refusal.
   * @param most number of keys that the robot may have at once, also after concurrent calls
   */
  async add(key: RobotKeyDocument, most: number): Promise<'KEY_IN_USE' | 'TOO_MANY_KEYS' | undefined> {
    try {
      return await inPrincipalTransaction(this.#db, key.robotId, key.createdAt, (session) =>
        this.#add(key, most, session),
      );
    } catch (error) {
      if (isDuplicateKey(error)) return 'KEY_IN_USE';
      throw error;
    }
  }

  async #add(
    key: RobotKeyDocument,
    most: number,
    session: ClientSession,
  ): Promise<'TOO_MANY_KEYS' | undefined> {
    const filter = { robotId: key.robotId, ...usable(key.createdAt) };
    if ((await this.#keys.countDocuments(filter, { session, limit: most })) >= most) return 'TOO_MANY_KEYS';
    await this.#keys.insertOne(key, { session });
    return undefined;
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
