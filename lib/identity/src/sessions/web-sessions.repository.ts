/** Access to the sessions of browsers. */
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

  /** Removes a session. Null if there is none. */
  remove(id: string): Promise<WebSessionDocument | null> {
    return this.#sessions.findOneAndDelete({ _id: id });
  }
}
