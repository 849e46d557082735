/** Storages that are open: their providers with their credentials. */
import type { Clock } from '@rhizome/clock';
import {
  openStorage,
  type StorageCredential,
  type StorageDefinition,
  StorageError,
  type StorageProvider,
} from '@rhizome/storage';
import type { StorageDocument } from '../storages/storage.document.js';
import { readCredential } from './credentials.js';

/** Dependencies of {@link OpenStorages}. */
export interface OpenStoragesOptions {
  /** Folder of the credentials; undefined without any. */
  readonly credentialFolder: string | undefined;
  readonly clock: Clock;
}

interface Opened {
  readonly version: string;
  readonly provider: StorageProvider;
  /** Time at which the credential was read. */
  readonly readAt: number;
}

/** Time after which a credential is read again, in milliseconds. */
const credentialMs = 10_000;

/** Opens storages when they are first used, and again after they or their credentials change. */
export class OpenStorages {
  readonly #options: OpenStoragesOptions;
  readonly #opened = new Map<string, Promise<Opened>>();

  constructor(options: OpenStoragesOptions) {
    this.#options = options;
  }

  /** Provider of a storage. @throws StorageError INVALID if its credential cannot be used */
  async of(storage: StorageDocument): Promise<StorageProvider> {
    const { _id } = storage;
    const earlier = this.#opened.get(_id);
    const opening = this.#open(storage, earlier);
    this.#opened.set(_id, opening);
    try {
      return (await opening).provider;
    } catch (error) {
      if (this.#opened.get(_id) === opening) this.#opened.delete(_id);
      throw error;
    }
  }

  /** Frees all connections. */
  async close(): Promise<void> {
    const opened = [...this.#opened.values()];
    this.#opened.clear();
    await Promise.all(opened.map(async (one) => (await one.catch(() => undefined))?.provider.close()));
  }

  async #open(storage: StorageDocument, opening: Promise<Opened> | undefined): Promise<Opened> {
    const { credentialFolder, clock } = this.#options;
    const earlier = await opening?.catch(() => undefined);
    const revision = `${storage.revision} `;
    const now = clock.now().getTime();
    if (earlier?.version.startsWith(revision) && now - earlier.readAt < credentialMs) return earlier;
    const read = storage.credential && (await readCredential(credentialFolder, storage.credential));
    const version = `${revision}${read ? read.version : ''}`;
    if (earlier?.version === version) return { ...earlier, readAt: now };
    const provider = openStorage(definitionOf(storage), credentialOf(read), { clock });
    // Calls that use the earlier one end by themselves; only idle connections are closed.
    if (earlier) void earlier.provider.close().catch(() => undefined);
    return { version, provider, readAt: now };
  }
}

const credentialOf = (
  read: { readonly credential: StorageCredential } | '' | undefined,
): StorageCredential | undefined => (read ? read.credential : undefined);

function definitionOf({
  provider,
  address,
  bucket,
  region,
  prefix,
  webAddress,
  trustedOrigins,
}: StorageDocument): StorageDefinition {
  switch (provider) {
    case 'FOLDER':
      return { provider, address };
    case 'S3':
      if (bucket === undefined) throw new StorageError('INVALID', 'A storage of S3 needs a bucket');
      return { provider, address, bucket, region, prefix };
    case 'WEBDAV':
      return { provider, address, trustedOrigins };
    case 'XROOTD':
      return { provider, address, webAddress };
  }
}
