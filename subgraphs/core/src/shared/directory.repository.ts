/**
 * A small collection held in memory: queues, experiments, shares. Read whole at the start, kept fresh by the notices
 * of the change stream, and by what this process writes itself. Memory may be a moment behind what another process has
 * written. Whoever refuses, or lists, reads the store first: what was answered at one process holds at all others.
 */
import type { Collection, Filter } from 'mongodb';

/** What every document of a directory has. */
export interface DirectoryDocument {
  readonly _id: string;
  readonly revision: number;
}

/** Reads from the cache, and tells of changes. */
export class Directory<TDoc extends DirectoryDocument> {
  readonly #documents: Collection<TDoc>;
  readonly #byId = new Map<string, TDoc>();
  readonly #listeners = new Set<(changed: readonly TDoc[]) => void>();

  constructor(documents: Collection<TDoc>) {
    this.#documents = documents;
  }

  /** The name of the collection, as notices carry it. */
  get name(): string {
    return this.#documents.collectionName;
  }

  /** Reads all documents. */
  async load(): Promise<void> {
    this.#take(await this.#documents.find().toArray());
  }

  /** All documents, in the order of their ids. */
  all(): readonly TDoc[] {
    return [...this.#byId.values()].sort((a, b) => (a._id < b._id ? -1 : 1));
  }

  /** The document if it is in memory. */
  peek(id: string): TDoc | undefined {
    return this.#byId.get(id);
  }

  /** All documents as the store has them now, in the order of their ids. */
  async fresh(): Promise<readonly TDoc[]> {
    await this.load();
    return this.all();
  }

  /** Documents by id, one answer an id; those that memory lacks are looked up. */
  async find(ids: readonly string[]): Promise<readonly (TDoc | null)[]> {
    const unknown = ids.filter((id) => !this.#byId.has(id));
    if (unknown.length > 0) await this.refresh(unknown);
    return ids.map((id) => this.#byId.get(id) ?? null);
  }

  /** Documents by id as the store has them now, one answer an id. */
  async findFresh(ids: readonly string[]): Promise<readonly (TDoc | null)[]> {
    await this.refresh(ids);
    return ids.map((id) => this.#byId.get(id) ?? null);
  }

  /** Reads these again; called for each notice of the stream. */
  async refresh(ids: readonly string[]): Promise<void> {
    const filter = { _id: { $in: [...new Set(ids)] } } as unknown as Filter<TDoc>;
    this.#take(await this.#documents.find(filter).toArray());
  }

  /** Takes in a document that was just written or read. An older revision than the one known is ignored. */
  put(document: TDoc): void {
    this.#take([document]);
  }

  /** Calls the listener with documents that are new or changed; returns how to stop. */
  onChanged(listener: (changed: readonly TDoc[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #take(documents: readonly unknown[]): void {
    const changed = (documents as readonly TDoc[]).filter(
      (document) => (this.#byId.get(document._id)?.revision ?? 0) < document.revision,
    );
    for (const document of changed) this.#byId.set(document._id, document);
    if (changed.length === 0) return;
    for (const listener of this.#listeners) listener(changed);
  }
}
