import type { Clock } from '@rhizome/clock';
import { assertOk, readText, send, drain } from '../http/http-client.js';
import { readFile, writeFile } from '../http/transfers.js';
import { assertKey, assertPrefix } from '../keys.js';
import type { FileServiceSigner } from './signer.js';
import type { ServiceMethod } from './signature.js';
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
} from '../storage.types.js';

/** Seconds for which a signature for a call of this process is valid. */
const ownSeconds = 300;
/** Largest answer to a list: 1,000 files with keys of 1,024 bytes, escaped. */
const longestListBytes = 8 * 1024 * 1024;

/** Files of a folder on another host, through the file service. */
export class FileServiceStorage implements StorageProvider {
  readonly #signer: FileServiceSigner;
  readonly #clock: Clock;

  constructor(signer: FileServiceSigner, clock: Clock) {
    this.#signer = signer;
    this.#clock = clock;
  }

  async put(
    key: string,
    source: FileSource,
    { ifAbsent = false, signal }: PutOptions = {},
  ): Promise<StoredFile> {
    const { sizeBytes, sha256 } = source;
    const url = this.#urlOf('PUT', key, { sizeBytes, sha256 });
    const headers = await writeFile({ url, headers: ifAbsent ? { 'If-None-Match': '*' } : {} }, source, {
      signal,
    });
    return { key, sizeBytes, sha256, modifiedAt: timeOf(headers['last-modified']) };
  }

  async get(key: string, options: GetOptions = {}): Promise<FileBody> {
    return readFile({ url: this.#urlOf('GET', key) }, options);
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<StoredFile | null> {
    const request = { method: 'HEAD', url: this.#urlOf('GET', key), signal };
    const response = await send(request);
    await drain(response);
    if (response.status === 404) return null;
    await assertOk(response, request);
    const sizeBytes = Number(response.headers['content-length']);
    return { key, sizeBytes, modifiedAt: timeOf(response.headers['last-modified']) };
  }

  async list(prefix: string, { after, limit, signal }: ListOptions = {}): Promise<FileList> {
    assertPrefix(prefix);
    const extra = {
      prefix,
      ...(after !== undefined && { after }),
      ...(limit !== undefined && { limit: String(limit) }),
    };
    const url = this.#signer.urlOf({ method: 'LIST', key: prefix, expires: this.#expires() }, extra);
    const request = { method: 'GET', url, signal };
    const response = await send(request);
    await assertOk(response, request);
    return parseList(await readText(response, longestListBytes, 'The list of files'));
  }

  async delete(key: string, { signal }: CallOptions = {}): Promise<void> {
    const request = { method: 'DELETE', url: this.#urlOf('DELETE', key), signal };
    const response = await send(request);
    await assertOk(response, request);
    await drain(response);
  }

  async sign(key: string, grant: StorageGrant): Promise<SignedAddress> {
    return this.#signer.sign(key, grant);
  }

  async close(): Promise<void> {
    // Connections belong to the process.
  }

  #urlOf(method: ServiceMethod, key: string, content: Partial<FileSource> = {}): string {
    assertKey(key);
    const { sizeBytes, sha256 } = content;
    return this.#signer.urlOf({ method, key, expires: this.#expires(), sizeBytes, sha256 });
  }

  #expires(): number {
    return Math.floor(this.#clock.now().getTime() / 1000) + ownSeconds;
  }
}

function timeOf(header: string | string[] | undefined): Date | null {
  const at = new Date(String(header));
  return Number.isNaN(at.getTime()) ? null : at;
}

/** The list of the file service: `{"files": [{"key", "sizeBytes", "modifiedAt"}], "next"}`. */
function parseList(text: string): FileList {
  const { files, next } = JSON.parse(text) as {
    files: readonly (Omit<StoredFile, 'modifiedAt'> & { readonly modifiedAt: string })[];
    next: string | null;
  };
  return { files: files.map((file) => ({ ...file, modifiedAt: new Date(file.modifiedAt) })), next };
}
