/** Access to the collections of the schema registry. */
import {
  collection,
  type DeclaredCollection,
  ensureCollections,
  isDuplicateKey,
  type KeysetPage,
  keysetPage,
  recordDeclarations,
  watchCollections,
} from '@rhizome/mongo';
import type { Logger } from '@rhizome/log';
import type { ChangeStream, Collection, Db } from 'mongodb';
import { type SchemaCheckDocument, schemaChecksCollection } from './schema-check.document.js';
import {
  type SchemaVersionDocument,
  type SchemaVersionHead,
  schemaVersionsCollection,
  versionId,
} from './schema-version.document.js';
import { type SubgraphDocument, subgraphsCollection } from './subgraph.document.js';
import { type SubgraphSchemaDocument, subgraphSchemasCollection } from './subgraph-schema.document.js';
import { fieldUsesCollection } from './field-use.document.js';
import { operationsCollection } from './operation.document.js';
import { useRecordingsCollection } from './use-recording.document.js';

const all = [
  subgraphsCollection,
  schemaVersionsCollection,
  subgraphSchemasCollection,
  schemaChecksCollection,
  fieldUsesCollection,
  operationsCollection,
  useRecordingsCollection,
];

/** Collections of the schema registry. Writes have majority acknowledgement; reads see the latest data. */
export class RegistryRepository {
  readonly #db: Db;
  readonly #subgraphs: Collection<SubgraphDocument>;
  readonly #versions: Collection<SchemaVersionDocument>;
  readonly #schemas: Collection<SubgraphSchemaDocument>;
  readonly #checks: Collection<SchemaCheckDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#subgraphs = collection(db, subgraphsCollection);
    this.#versions = collection(db, schemaVersionsCollection);
    this.#schemas = collection(db, subgraphSchemasCollection);
    this.#checks = collection(db, schemaChecksCollection);
  }

  /** Creates collections and indexes. */
  async ensure(log: Logger): Promise<void> {
    await Promise.all(all.map((one) => ensureCollections(this.#db, [one], { log })));
    await recordDeclarations(this.#db, all as unknown as readonly DeclaredCollection[]);
  }

  subgraphs(): Promise<SubgraphDocument[]> {
    return this.#subgraphs.find({}, { sort: { _id: 1 } }).toArray();
  }

  subgraph(name: string): Promise<SubgraphDocument | null> {
    return this.#subgraphs.findOne({ _id: name });
  }

  /** Registers a subgraph, or changes its endpoint. Null if another has the prefix. */
  async upsertSubgraph(
    name: string,
    {
      typePrefix,
      endpoint,
      registeredBy,
    }: Pick<SubgraphDocument, 'typePrefix' | 'endpoint' | 'registeredBy'>,
    now: Date,
  ): Promise<SubgraphDocument | null> {
    try {
      return await this.#subgraphs.findOneAndUpdate(
        { _id: name },
        {
          $set: { typePrefix, endpoint, registeredBy, updatedAt: now },
          $unset: { pendingEndpoint: '', pendingBy: '' },
          $setOnInsert: { schemaVersion: 1, createdAt: now },
          $inc: { revision: 1 },
        },
        { upsert: true, returnDocument: 'after' },
      );
    } catch (error) {
      if (isDuplicateKey(error)) return null;
      throw error;
    }
  }

  /** Records an endpoint that waits for approval. */
  async proposeEndpoint(
    name: string,
    proposal: Required<Pick<SubgraphDocument, 'pendingEndpoint' | 'pendingBy'>>,
    now: Date,
  ): Promise<void> {
    const change = { $set: { ...proposal, updatedAt: now }, $inc: { revision: 1 } };
    await this.#subgraphs.updateOne({ _id: name }, change);
  }

  /** Removes a registration as it was read. False if it has changed since, or no longer exists. */
  async removeSubgraph({ _id, revision }: Pick<SubgraphDocument, '_id' | 'revision'>): Promise<boolean> {
    const { deletedCount } = await this.#subgraphs.deleteOne({ _id, revision });
    return deletedCount > 0;
  }

  /** The live version; null if there is none. */
  latest(): Promise<SchemaVersionDocument | null> {
    return this.#versions.findOne({}, { sort: { number: -1 }, readConcern: 'majority' });
  }

  version(number: number): Promise<SchemaVersionDocument | null> {
    return this.#versions.findOne({ number });
  }

  /** Versions with smaller numbers than `below`, the newest first. */
  versions(below: number, limit: number): Promise<SchemaVersionHead[]> {
    return this.#versions
      .find({ number: { $lt: below } }, { sort: { number: -1 }, limit, projection: { supergraphSdl: 0 } })
      .toArray();
  }

  /** A page of versions, the newest first. @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  versionPage(first: number, after: string | null | undefined): Promise<KeysetPage<SchemaVersionHead>> {
    const heads = this.#versions as unknown as Collection<SchemaVersionHead>;
    const order = [{ field: 'number', direction: -1 }] as const;
    return keysetPage({ collection: heads, filter: {}, order, first, after, exclude: ['supergraphSdl'] });
  }

  /** Inserts a version. Returns false if its number exists already. */
  async insertVersion(version: SchemaVersionDocument): Promise<boolean> {
    try {
      await this.#versions.insertOne({ ...version, _id: versionId(version.number) });
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  /** SDLs by digest; missing ones are left out. */
  async sdls(digests: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = await this.#schemas.find({ _id: { $in: [...new Set(digests)] } }).toArray();
    return new Map(found.map(({ _id, sdl }) => [_id, sdl]));
  }

  async saveSdl(digest: string, sdl: string, now: Date): Promise<void> {
    const fresh = { schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now, sdl };
    await this.#schemas.updateOne({ _id: digest }, { $setOnInsert: fresh }, { upsert: true });
  }

  async insertCheck(check: SchemaCheckDocument): Promise<void> {
    await this.#checks.insertOne(check);
  }

  /**
   * A page of checks of one subgraph or of all, the newest first. @throws DomainError CURSOR_INVALID,
   * BAD_USER_INPUT
   */
  checkPage(
    subgraph: string | null,
    first: number,
    after: string | null | undefined,
  ): Promise<KeysetPage<SchemaCheckDocument>> {
    const filter = subgraph === null ? {} : { subgraph };
    const order = [{ field: 'createdAt', direction: -1 }] as const;
    return keysetPage({ collection: this.#checks, filter, order, first, after });
  }

  /** Streams each new version, and each registration that is added, changed or removed, from the call on. */
  watch(): Promise<ChangeStream> {
    return watchCollections(this.#db, [schemaVersionsCollection, subgraphsCollection]);
  }
}
