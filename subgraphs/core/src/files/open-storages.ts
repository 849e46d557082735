/** Storages that are open: their providers with their credentials. */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { openStorage, type StorageDefinition, StorageError, type StorageProvider } from '@rhizome/storage';
import type { StorageDocument } from '../storages/storage.document.js';
import { type ReadCredential, readCredential } from './credentials.js';

/** Dependencies of {@link OpenStorages}. */
export interface OpenStoragesOptions {
  /** Folder of the credentials; undefined without any. */
  readonly credentialFolder: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Opened {
  /** Revision of the storage. */
  readonly revision: number;
  /** Version of the credential. */
  readonly version: string;
  readonly provider: StorageProvider;
  /** Time at which the credential was read or tried. */
  readonly readAt: number;
  /** Time at which the credential was read last. */
  readonly goodAt: number;
}

/** Time after which a credential is read again, in milliseconds. */
const credentialMs = 10_000;
/** Time for which an earlier credential counts while its file cannot be read: it may be being replaced. */
const goodMs = 600_000;
/** Time after which a replaced provider is closed: calls still use it. */
const retiredMs = 120_000;

/** Opens storages when they are first used, and again after they or their credentials change. */
export class OpenStorages {
  readonly #options: OpenStoragesOptions;
  readonly #opened = new Map<string, Promise<Opened>>();
  /** Providers that were replaced, with the timers that close them. */
  readonly #retired = new Map<StorageProvider, NodeJS.Timeout>();

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
    for (const [provider, timer] of this.#retired) {
      clearTimeout(timer);
      void provider.close().catch(() => undefined);
    }
    this.#retired.clear();
    await Promise.all(opened.map(async (one) => (await one.catch(() => undefined))?.provider.close()));
  }

  async #open(storage: StorageDocument, opening: Promise<Opened> | undefined): Promise<Opened> {
    const { credentialFolder, clock, log } = this.#options;
    const earlier = await opening?.catch(() => undefined);
    const { revision } = storage;
    const now = clock.now().getTime();
    // A caller with an older copy of the storage does not bring it back.
    if (earlier && earlier.revision > revision) return earlier;
    const same = earlier?.revision === revision ? earlier : undefined;
    if (same && now - same.readAt < credentialMs) return same;
    let read: ReadCredential | undefined;
    try {
      if (storage.credential) read = await readCredential(credentialFolder, storage.credential);
    } catch (err) {
      if (!same || now - same.goodAt > goodMs) throw err;
      log.warn({ err, storage: storage._id }, 'credential not read; the earlier one is used');
      return { ...same, readAt: now };
    }
    const version = read?.version ?? '';
    if (same?.version === version) return { ...same, readAt: now, goodAt: now };
    const provider = openStorage(definitionOf(storage), read?.credential, { clock });
    if (earlier) this.#retire(earlier.provider);
    return { revision, version, provider, readAt: now, goodAt: now };
  }

  #retire(provider: StorageProvider): void {
    const close = (): void => {
      this.#retired.delete(provider);
      void provider.close().catch(() => undefined);
    };
    this.#retired.set(provider, setTimeout(close, retiredMs).unref());
  }
}

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
      return { provider, address, webAddress, trustedOrigins };
  }
}
