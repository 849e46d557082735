/** Access to the collection of queues. */
import { isDuplicateKey, keysetPage, type KeysetPage } from '@rhizome/mongo';
import type { Collection, Filter } from 'mongodb';
import { Directory } from '../shared/directory.repository.js';
import type { QueueDocument, QueueState } from './queue.document.js';

/** Result of an insert. */
export type InsertedQueue =
  { readonly inserted: QueueDocument } | { readonly repeated: QueueDocument } | { readonly nameTaken: true };

/** Page of queues; an absent or null filter does not restrict it. */
export interface QueuePageRequest {
  readonly names?: readonly string[] | null | undefined;
  readonly sites?: readonly string[] | null | undefined;
  readonly states?: readonly QueueState[] | null | undefined;
  /** Lists of experiments; the queue must admit at least one of each list. */
  readonly admitting: readonly (readonly string[])[];
  readonly first: number;
  readonly after?: string | null | undefined;
}

const majority = { writeConcern: { w: 'majority' } } as const;

/** Stored queues. */
export class QueuesRepository {
  readonly directory: Directory<QueueDocument>;
  readonly #queues: Collection<QueueDocument>;
  readonly #idByName = new Map<string, string>();

  constructor(queues: Collection<QueueDocument>) {
    this.#queues = queues;
    this.directory = new Directory(queues);
    // The name of a queue never changes.
    this.directory.onChanged((changed) => changed.forEach(({ name, _id }) => this.#idByName.set(name, _id)));
  }

  /** Queues by name, one entry per name; missing ones are read from the store. */
  async byNames(names: readonly string[]): Promise<readonly (QueueDocument | null)[]> {
    const unknown = names.filter((name) => !this.#idByName.has(name));
    if (unknown.length > 0) await this.readMany(unknown);
    return names.map((name) => this.directory.peek(this.#idByName.get(name) ?? '') ?? null);
  }

  /** Queues by name as stored now, one entry per name. */
  async readMany(names: readonly string[]): Promise<readonly (QueueDocument | null)[]> {
    const found = await this.#queues.find({ name: { $in: [...new Set(names)] } }).toArray();
    found.forEach((queue) => this.directory.set(queue));
    return names.map((name) => this.directory.peek(this.#idByName.get(name) ?? '') ?? null);
  }

  /** Page of queues by name. */
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

  /** Inserts a queue unless its name exists or the same call was made before. */
  async insert(queue: QueueDocument): Promise<InsertedQueue> {
    const earlier = await this.#createdBy(queue);
    if (earlier) return { repeated: earlier };
    try {
      await this.#queues.insertOne(queue, majority);
      this.directory.set(queue);
      return { inserted: queue };
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      const concurrent = await this.#createdBy(queue);
      return concurrent ? { repeated: concurrent } : { nameTaken: true };
    }
  }

  /** Replaces a queue that still has the previous revision. @returns false if the revision has changed */
  async replace(next: QueueDocument): Promise<boolean> {
    const { matchedCount } = await this.#queues.replaceOne(
      { _id: next._id, revision: next.revision - 1 },
      next,
      majority,
    );
    if (matchedCount === 1) this.directory.set(next);
    return matchedCount === 1;
  }

  /** Queue as stored now. */
  async read(name: string): Promise<QueueDocument | null> {
    return (await this.readMany([name]))[0] ?? null;
  }

  async #createdBy({ creation }: QueueDocument): Promise<QueueDocument | null> {
    if (!creation) return null;
    return this.#queues.findOne({ 'creation.by': creation.by, 'creation.key': creation.key });
  }
}
