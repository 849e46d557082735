import type { Collection } from 'mongodb';
import type { ConsumerDocument } from './consumer.document.js';

/** Places in the event stream by consumer. */
export class ConsumersRepository {
  readonly #consumers: Collection<ConsumerDocument>;

  constructor(consumers: Collection<ConsumerDocument>) {
    this.#consumers = consumers;
  }

  /** Where the consumer was; null for one that never was anywhere. */
  async cursorOf(name: string): Promise<string | null> {
    const found = await this.#consumers.findOne({ _id: name }, { readConcern: { level: 'majority' } });
    return found?.cursor ?? null;
  }

  /** Notes that everything up to the place is done. */
  async save(name: string, cursor: string, now: Date): Promise<void> {
    const update = { $set: { cursor, updatedAt: now, schemaVersion: 1 }, $inc: { revision: 1 } };
    await this.#consumers.updateOne({ _id: name }, update, { upsert: true, writeConcern: { w: 'majority' } });
  }

  /** Forgets where the consumer was. */
  async forget(name: string): Promise<void> {
    await this.#consumers.deleteOne({ _id: name }, { writeConcern: { w: 'majority' } });
  }
}
