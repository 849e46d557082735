/** Access to the sessions of browsers. */
import type { ElevationReference } from '@rhizome/authz';
import { collection } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import { type WebSessionDocument, webSessionsCollection } from './web-session.document.js';

/** Collection `webSessions`. */
export class WebSessionsRepository {
  readonly #sessions: Collection<WebSessionDocument>;

  constructor(db: Db) {
    this.#sessions = collection(db, webSessionsCollection);
  }

  async insert(session: WebSessionDocument): Promise<void> {
    await this.#sessions.insertOne(session);
  }

  byId(id: string): Promise<WebSessionDocument | null> {
    return this.#sessions.findOne({ _id: id }, { readConcern: 'majority' });
  }

  /** The session whose tokens follow from a login. */
  byFamily(family: string): Promise<WebSessionDocument | null> {
    return this.#sessions.findOne({ family }, { readConcern: 'majority' });
  }

  /** The session of a person that has an elevation. */
  byElevation(principalId: string, elevation: string): Promise<WebSessionDocument | null> {
    const filter = { principalId, 'elevation.id': elevation };
    return this.#sessions.findOne(filter, { readConcern: 'majority' });
  }

  /** Gives a session an elevation; false if the session has changed since it was read, or has ended. */
  async elevate(
    { _id, revision }: Pick<WebSessionDocument, '_id' | 'revision'>,
    elevation: ElevationReference,
    now: Date,
  ): Promise<boolean> {
    const { matchedCount } = await this.#sessions.updateOne(
      { _id, revision },
      { $set: { elevation, updatedAt: now }, $inc: { revision: 1 } },
      { writeConcern: { w: 'majority' } },
    );
    return matchedCount === 1;
  }

  /** Removes a session. Null if there is none. */
  remove(id: string): Promise<WebSessionDocument | null> {
    return this.#sessions.findOneAndDelete({ _id: id });
  }
}
