import type {
  CallOptions,
  FileBody,
  FileList,
  FileSource,
  GetOptions,
  ListOptions,
  PutOptions,
  SignedAddress,
  StorageGrant,
  StorageProvider,
  StoredFile,
} from './storage.types.js';

/** A storage whose provider is loaded with the first call: some bring large libraries. */
export class LazyStorage implements StorageProvider {
  readonly #load: () => Promise<StorageProvider>;
  #loaded: Promise<StorageProvider> | undefined;

  constructor(load: () => Promise<StorageProvider>) {
    this.#load = load;
  }

  async put(key: string, source: FileSource, options?: PutOptions): Promise<StoredFile> {
    return (await this.#provider()).put(key, source, options);
  }

  async get(key: string, options?: GetOptions): Promise<FileBody> {
    return (await this.#provider()).get(key, options);
  }

  async head(key: string, options?: CallOptions): Promise<StoredFile | null> {
    return (await this.#provider()).head(key, options);
  }

  async list(prefix: string, options?: ListOptions): Promise<FileList> {
    return (await this.#provider()).list(prefix, options);
  }

  async delete(key: string, options?: CallOptions): Promise<void> {
    await (await this.#provider()).delete(key, options);
  }

  async sign(key: string, grant: StorageGrant): Promise<SignedAddress> {
    return (await this.#provider()).sign(key, grant);
  }

  async close(): Promise<void> {
    await (await this.#loaded)?.close();
  }

  #provider(): Promise<StorageProvider> {
    return (this.#loaded ??= this.#load());
  }
}
