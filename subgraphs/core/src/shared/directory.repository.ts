/**
 * Small collection, or part of one, held in memory: queues, experiments or shares. It is read as a whole at
 * the start, and refreshed by notices of the change stream and by writes of this process. Memory may briefly
 * lag behind writes of other processes, so callers read the store before they refuse or list something: an
 * answer of one process then holds at all others.
 */
import type { Collection, Filter } from 'mongodb';

/** Common fields of the documents of a directory. */
export interface DirectoryDocument {
  readonly _id: string;
  readonly revision: number;
}

/** Reads from the cache and reports changes. */
export class Directory<TDoc extends DirectoryDocument> {
  readonly #documents: Collection<TDoc>;
  readonly #filter: Filter<TDoc>;
  readonly #byId = new Map<string, TDoc>();
  readonly #listeners = new Set<(changed: readonly TDoc[]) => void>();

  /** @param filter of the documents that are held; all without it */
  constructor(documents: Collection<TDoc>, filter: Filter<TDoc> = {}) {
    this.#documents = documents;
    this.#filter = filter;
  }

  /** Name of the collection, as in notices. */
  get name(): string {
    return this.#documents.collectionName;
  }

  /** Reads all documents. */
  async load(): Promise<void> {
    this.#setNewer(await this.#documents.find(this.#filter).toArray());
  }

  /** All documents, ordered by id. */
  all(): readonly TDoc[] {
    return [...this.#byId.values()].sort((a, b) => (a._id < b._id ? -1 : 1));
  }

  /** All documents, in no order. */
  values(): Iterable<TDoc> {
    return this.#byId.values();
  }

  /** Document, if it is in memory. */
  peek(id: string): TDoc | undefined {
    return this.#byId.get(id);
  }

  /** All documents as stored now, ordered by id. */
  async fresh(): Promise<readonly TDoc[]> {
    await this.load();
    return this.all();
  }

  /** Documents by id, one entry per id; missing ones are read from the store. */
  async find(ids: readonly string[]): Promise<readonly (TDoc | null)[]> {
    const unknown = ids.filter((id) => !this.#byId.has(id));
    if (unknown.length > 0) await this.refresh(unknown);
    return ids.map((id) => this.#byId.get(id) ?? null);
  }

  /** Documents by id as stored now, one entry per id. */
  async findFresh(ids: readonly string[]): Promise<readonly (TDoc | null)[]> {
    await this.refresh(ids);
    return ids.map((id) => this.#byId.get(id) ?? null);
  }

  /** Reads these documents again; called for each notice of the stream. */
  async refresh(ids: readonly string[]): Promise<void> {
    const filter = { ...this.#filter, _id: { $in: [...new Set(ids)] } } as unknown as Filter<TDoc>;
    this.#setNewer(await this.#documents.find(filter).toArray());
  }

  /** Adds a document that was just written or read. An older revision than the known one is ignored. */
  set(document: TDoc): void {
    this.#setNewer([document]);
  }

  /** Drops a document from memory that ended long ago: an earlier revision of it would be taken as new. */
  drop(id: string): void {
    this.#byId.delete(id);
  }

  /** Calls the listener with new and changed documents. @returns function that removes it */
  onChanged(listener: (changed: readonly TDoc[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #setNewer(documents: readonly unknown[]): void {
    const changed = (documents as readonly TDoc[]).filter(
      (document) => (this.#byId.get(document._id)?.revision ?? 0) < document.revision,
    );
    for (const document of changed) this.#byId.set(document._id, document);
    if (changed.length === 0) return;
    for (const listener of this.#listeners) listener(changed);
  }
}
