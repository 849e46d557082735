/** The only code that touches the collection of queues. */
import { keysetPage, type KeysetPage } from '@rhizome/mongo';
import { MongoServerError, type Collection, type Filter } from 'mongodb';
import { Directory } from '../shared/directory.repository.js';
import type { QueueDocument, QueueState } from './queue.document.js';

/** What became of an insert. */
export type InsertedQueue =
  { readonly inserted: QueueDocument } | { readonly repeated: QueueDocument } | { readonly nameTaken: true };

/** A page of queues; what is left out or null does not narrow. */
export interface QueuePageRequest {
  readonly names?: readonly string[] | null | undefined;
  readonly sites?: readonly string[] | null | undefined;
  readonly states?: readonly QueueState[] | null | undefined;
  /** Admitting one experiment, at least, of each of these lists. */
  readonly admitting: readonly (readonly string[])[];
  readonly first: number;
  readonly after?: string | null | undefined;
}

const majority = { writeConcern: { w: 'majority' } } as const;

/** See the head of this file. */
export class QueuesRepository {
  readonly directory: Directory<QueueDocument>;
  readonly #queues: Collection<QueueDocument>;
  readonly #idByName = new Map<string, string>();

  constructor(queues: Collection<QueueDocument>) {
    this.#queues = queues;
    this.directory = new Directory(queues);
    // A queue keeps its name.
    this.directory.onChanged((changed) => changed.forEach(({ name, _id }) => this.#idByName.set(name, _id)));
  }

  /** Queues by name, one answer a name; those that memory lacks are looked up. */
  async byNames(names: readonly string[]): Promise<readonly (QueueDocument | null)[]> {
    const unknown = names.filter((name) => !this.#idByName.has(name));
    if (unknown.length > 0) await this.readMany(unknown);
    return names.map((name) => this.directory.peek(this.#idByName.get(name) ?? '') ?? null);
  }

  /** Queues by name as the store has them now, one answer a name. */
  async readMany(names: readonly string[]): Promise<readonly (QueueDocument | null)[]> {
    const found = await this.#queues.find({ name: { $in: [...new Set(names)] } }).toArray();
    found.forEach((queue) => this.directory.put(queue));
    return names.map((name) => this.directory.peek(this.#idByName.get(name) ?? '') ?? null);
  }

  /** A page of queues by name. */
  page({
    names,
    sites,
    states,
    admitting,
    first,
    after,
  }: QueuePageRequest): Promise<KeysetPage<QueueDocument>> {
    const conditions: Filter<QueueDocument>[] = [
      ...(names ? [{ name: { $in: [...names] } }] : []),
      ...(sites ? [{ site: { $in: [...sites] } }] : []),
      ...(states ? [{ state: { $in: [...states] } }] : []),
      ...admitting.map((some) => ({
        $or: [{ experiments: { $size: 0 } }, { experiments: { $in: [...some] } }],
      })),
    ];
    const filter = conditions.length > 0 ? { $and: conditions } : {};
    return keysetPage({
      collection: this.#queues,
      filter,
      order: [{ field: 'name', direction: 1 }],
      first,
      after,
    });
  }

  /** Inserts a queue, unless its name is taken or the same call was made before. */
  async insert(queue: QueueDocument): Promise<InsertedQueue> {
    const earlier = await this.#createdBy(queue);
    if (earlier) return { repeated: earlier };
    try {
      await this.#queues.insertOne(queue, majority);
      this.directory.put(queue);
      return { inserted: queue };
    } catch (error) {
      if (!(error instanceof MongoServerError) || error.code !== 11000) throw error;
      const concurrent = await this.#createdBy(queue);
      return concurrent ? { repeated: concurrent } : { nameTaken: true };
    }
  }

  /** Replaces a queue if it still has the revision before; resolves to whether it had. */
  async replace(next: QueueDocument): Promise<boolean> {
    const { matchedCount } = await this.#queues.replaceOne(
      { _id: next._id, revision: next.revision - 1 },
      next,
      majority,
    );
    if (matchedCount === 1) this.directory.put(next);
    return matchedCount === 1;
  }

  /** The queue as it is stored now. */
  async read(name: string): Promise<QueueDocument | null> {
    return (await this.readMany([name]))[0] ?? null;
  }

  async #createdBy({ creation }: QueueDocument): Promise<QueueDocument | null> {
    if (!creation) return null;
    return this.#queues.findOne({ 'creation.by': creation.by, 'creation.key': creation.key });
  }
}
