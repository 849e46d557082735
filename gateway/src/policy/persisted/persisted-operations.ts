import { createHash } from 'node:crypto';
import { DomainError } from '@rhizome/errors';
import { LRUCache } from 'lru-cache';
import type { OperationManifest } from './manifest.js';

/** Operations that clients may send by their hash. */
export interface PersistedSettings {
  /** Keeps documents that clients send together with their hash (automatic persisted queries). */
  readonly automatic: boolean;
  /** Refuses all documents that are in no manifest. */
  readonly only: boolean;
  /** Operations that the builds of clients have registered. */
  readonly manifests: readonly OperationManifest[];
}

/** Settings of a gateway that has none. */
export const defaultPersisted: PersistedSettings = { automatic: true, only: false, manifests: [] };

/** The document of a request, or its hash, or both. */
export interface PersistedRequest {
  readonly query: string | undefined;
  /** SHA-256 of the document, in hexadecimal. */
  readonly hash: string | undefined;
  /** Name that the client reports. */
  readonly client: string;
}

/** Characters of all documents that are kept, and of one. */
const keptCharacters = 16 * 1024 * 1024;
const longestDocument = 64 * 1024;

/** Finds the documents of requests, and refuses those that are not registered where only these run. */
export class PersistedOperations {
  readonly #settings: PersistedSettings;
  readonly #registered = new Map<string, string>();
  readonly #registeredTexts: ReadonlySet<string>;
  readonly #exclusive = new Map<string, ReadonlySet<string>>();
  readonly #automatic = new LRUCache<string, string>({
    maxSize: keptCharacters,
    maxEntrySize: longestDocument,
    sizeCalculation: (text) => text.length + 64,
  });

  constructor(settings: PersistedSettings = defaultPersisted) {
    this.#settings = settings;
    for (const { client, only, operations } of settings.manifests) {
      for (const { id, body } of operations) this.#registered.set(id, body);
      if (!only || client === undefined) continue;
      const texts = [...(this.#exclusive.get(client) ?? []), ...operations.map(({ body }) => body)];
      this.#exclusive.set(client, new Set(texts));
    }
    this.#registeredTexts = new Set(this.#registered.values());
  }

  /**
   * The document of a request.
   * @throws DomainError PERSISTED_QUERY_NOT_FOUND, PERSISTED_QUERY_NOT_SUPPORTED, OPERATION_NOT_REGISTERED,
   *   or BAD_REQUEST if there is neither a document nor a hash, or if they do not fit each other
   */
  documentOf({ query, hash, client }: PersistedRequest): string {
    const allowed = this.#allowedFor(client);
    const text = query === undefined || query === '' ? this.#find(hash, allowed !== undefined) : query;
    if (allowed && !allowed.has(text)) throw notRegistered(client);
    if (query && hash !== undefined) this.#keep(query, hash, allowed !== undefined);
    return text;
  }

  /** Documents to which a client is restricted; undefined if it is not. */
  #allowedFor(client: string): ReadonlySet<string> | undefined {
    return this.#exclusive.get(client) ?? (this.#settings.only ? this.#registeredTexts : undefined);
  }

  #find(hash: string | undefined, onlyRegistered: boolean): string {
    if (hash === undefined) throw noDocument();
    const text = this.#registered.get(hash) ?? (onlyRegistered ? undefined : this.#automatic.get(hash));
    if (text !== undefined) return text;
    if (!this.#settings.automatic && this.#registered.size === 0)
      throw new DomainError('PERSISTED_QUERY_NOT_SUPPORTED', 'PersistedQueryNotSupported');
    // Clients recognise the text and send the document.
    throw new DomainError('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound');
  }

  #keep(query: string, hash: string, onlyRegistered: boolean): void {
    if (this.#registered.has(hash) || this.#automatic.has(hash)) return;
    const found = createHash('sha256').update(query).digest('hex');
    if (found !== hash) throw hashDiffers();
    if (this.#settings.automatic && !onlyRegistered) this.#automatic.set(hash, query);
  }
}

function noDocument(): DomainError {
  return new DomainError('BAD_REQUEST', 'query: missing or not a string', {
    field: 'query',
    expected: 'a GraphQL document',
  });
}

function hashDiffers(): DomainError {
  const field = 'extensions.persistedQuery.sha256Hash';
  return new DomainError('BAD_REQUEST', `${field}: provided sha does not match query`, {
    field,
    expected: 'the SHA-256 of the document in hexadecimal',
  });
}

function notRegistered(client: string): DomainError {
  return new DomainError(
    'OPERATION_NOT_REGISTERED',
    `The operation is not registered for client "${client.slice(0, 100)}"; only registered operations are accepted`,
    { field: 'query', expected: 'an operation of a manifest' },
  );
}
