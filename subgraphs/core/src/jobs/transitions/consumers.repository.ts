import type { Collection } from 'mongodb';
import type { ConsumerDocument } from './consumer.document.js';

/** Positions in the event stream by consumer. */
export class ConsumersRepository {
  readonly #consumers: Collection<ConsumerDocument>;

  constructor(consumers: Collection<ConsumerDocument>) {
    this.#consumers = consumers;
  }

  /** Position of the consumer; null if it has none. */
  async cursorOf(name: string): Promise<string | null> {
    const found = await this.#consumers.findOne({ _id: name }, { readConcern: { level: 'majority' } });
    return found?.cursor ?? null;
  }

  /** Records that everything up to the position is done. */
  async save(name: string, cursor: string, now: Date): Promise<void> {
    const update = { $set: { cursor, updatedAt: now, schemaVersion: 1 }, $inc: { revision: 1 } };
    await this.#consumers.updateOne({ _id: name }, update, { upsert: true, writeConcern: { w: 'majority' } });
  }

  /** Removes the position of the consumer. */
  async forget(name: string): Promise<void> {
    await this.#consumers.deleteOne({ _id: name }, { writeConcern: { w: 'majority' } });
  }
}
