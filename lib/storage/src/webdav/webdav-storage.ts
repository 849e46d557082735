import { randomBytes } from 'node:crypto';
import type { Clock } from '@rhizome/clock';
import { assertDigest, digestHeaders, wantDigest } from '../http/digests.js';
import {
  assertOk,
  type Connections,
  discard,
  type FileRequest,
  type FileResponse,
  readText,
  StatusError,
  withoutCredentials,
  drain,
} from '../http/http-client.js';
import { sendFollowing } from '../http/redirects.js';
import { readFile, writeFile } from '../http/transfers.js';
import { assertKey, assertPrefix, encodeKey, ownPrefix } from '../keys.js';
import { StorageError } from '../storage-error.js';
import { type FolderEntry, listFolders } from '../walk.js';
import { type DavEntry, parseMultistatus, propertiesBody } from './multistatus.js';
import { type CopyProgress, followCopy } from './third-party-copy.js';
import { WebDavRights } from './webdav-rights.js';
import type {
  ByteRange,
  CallOptions,
  FileBody,
  FileList,
  FileSource,
  GetOptions,
  ListOptions,
  PutOptions,
  SignedAddress,
  StorageCredential,
  StorageGrant,
  StorageProvider,
  StoredFile,
  WebDavDefinition,
} from '../storage.types.js';

/** Largest list of one collection, in bytes: about 100,000 files. */
const longestListBytes = 64 * 1024 * 1024;
/** Time for the removal of a file that was not stored whole, in milliseconds. */
const cleanUpMs = 10_000;

/** A copy between this storage and another server. */
export interface CopyRequest extends CallOptions {
  /** PULL: this server reads from the URL. PUSH: this server writes to it. */
  readonly direction: 'PULL' | 'PUSH';
  readonly url: string;
  /** Bearer token for the other server. */
  readonly token?: string | undefined;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
}

/** Files of a collection on a WebDAV server: dCache, EOS, StoRM, XRootD, Apache, nginx and others. */
export class WebDavStorage implements StorageProvider {
  readonly #base: string;
  readonly #trusted: ReadonlySet<string>;
  readonly #http: Connections;
  readonly #clock: Clock;
  readonly #rights: WebDavRights;
  #server: Promise<string> | undefined;
  /** Collections that are being made. */
  readonly #making = new Map<string, Promise<void>>();

  constructor(
    { address, trustedOrigins = [] }: WebDavDefinition,
    credential: StorageCredential | undefined,
    { http, clock }: { readonly http: Connections; readonly clock: Clock },
  ) {
    this.#base = address.replace(/\/+$/, '');
    this.#trusted = new Set(trustedOrigins.map((origin) => new URL(origin).origin));
    this.#http = http;
    this.#clock = clock;
    this.#rights = new WebDavRights(this.#base, credential, { http, clock });
  }

  async put(
    key: string,
    source: FileSource,
    { ifAbsent = false, signal }: PutOptions = {},
  ): Promise<StoredFile> {
    assertKey(key);
    await this.#assertAddressable(key);
    if (ifAbsent && (await this.head(key, { signal })) !== null)
      throw new StorageError('EXISTS', `${this.#show(key)} exists`);
    const folder = key.slice(0, key.lastIndexOf('/') + 1);
    const partial = `${folder}${ownPrefix}part-${randomBytes(9).toString('hex')}`;
    try {
      await this.#write(partial, source, signal);
      const written = await this.#call({
        method: 'HEAD',
        url: this.#urlOf(partial),
        headers: wantDigest,
        signal,
      });
      assertDigest(written.headers, source.sha256, this.#show(key));
      const size = Number(written.headers['content-length']);
      if (size !== source.sizeBytes)
        throw new StorageError(
          'CORRUPT',
          `${this.#show(key)} has ${size} bytes instead of ${source.sizeBytes}`,
        );
      await this.#move(partial, key, ifAbsent, signal);
    } catch (error) {
      await this.#cleanUp(partial);
      throw error;
    }
    return { key, sizeBytes: source.sizeBytes, sha256: source.sha256, modifiedAt: this.#clock.now() };
  }

  async get(key: string, options: GetOptions = {}): Promise<FileBody> {
    assertKey(key);
    await this.#assertAddressable(key);
    const send = async (request: FileRequest): Promise<FileResponse> => this.#send(request);
    const range = options.range && (await this.#closedRange(key, options.range, options.signal));
    return readFile({ url: this.#urlOf(key), send }, { signal: options.signal, ...(range && { range }) });
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<StoredFile | null> {
    assertKey(key);
    await this.#assertAddressable(key);
    const [entry] = await this.#properties(key, '0', signal);
    if (entry === undefined || entry.isCollection) return null;
    return { key, sizeBytes: entry.sizeBytes, modifiedAt: entry.modifiedAt };
  }

  async list(prefix: string, { after, limit, signal }: ListOptions = {}): Promise<FileList> {
    assertPrefix(prefix);
    signal?.throwIfAborted();
    const folders = {
      entries: async (folder: string) => this.#entries(folder, signal),
      file: async (key: string) => this.head(key, { signal }),
    };
    return listFolders(folders, { prefix, after, limit, signal });
  }

  async delete(key: string, options: CallOptions = {}): Promise<void> {
    // The method removes a collection with all that is in it.
    if ((await this.head(key, options)) === null) return;
    await this.#remove(key, options.signal);
  }

  /** The address with a macaroon, the own one with further limits or one of the server, or with a token. */
  async sign(key: string, { method, expiresAt, sha256, signal }: StorageGrant): Promise<SignedAddress> {
    assertKey(key);
    await this.#assertAddressable(key);
    const url = this.#urlOf(key);
    const seconds = Math.floor((expiresAt.getTime() - this.#clock.now().getTime()) / 1000);
    if (seconds < 1) throw new StorageError('INVALID', 'expiresAt: must be later than now');
    const { token, until } = await this.#rights.ofFile({ url, method, expiresAt, seconds, signal });
    // The right to write one file is none to make its collection.
    if (method === 'PUT') await this.#makeCollectionsOnce(key, signal);
    const isEarlier = until !== undefined && until < expiresAt;
    const headers = {
      Authorization: `Bearer ${token}`,
      ...(method === 'PUT' && sha256 !== undefined && digestHeaders(sha256)),
    };
    const origins = this.#trusted.size > 0 ? { trustedOrigins: [...this.#trusted] } : {};
    return { method, url, headers, ...origins, expiresAt: isEarlier ? until : expiresAt };
  }

  /**
   * Asks the server to copy a file from or to another one (third-party copy).
   * @throws StorageError SLOW with the reason of the server
   */
  async copy(key: string, { direction, url, token, onProgress, signal }: CopyRequest): Promise<void> {
    assertKey(key);
    if (direction === 'PULL') await this.#makeCollections(key, signal);
    const request = {
      method: 'COPY',
      url: this.#urlOf(key),
      headers: {
        [direction === 'PULL' ? 'Source' : 'Destination']: url,
        Overwrite: 'T',
        Credential: 'none',
        ...(token !== undefined && { TransferHeaderAuthorization: `Bearer ${token}` }),
      },
      signal,
    };
    const response = await this.#send(request);
    await assertOk(response, request);
    await followCopy(response, onProgress);
  }

  async close(): Promise<void> {
    this.#http.close();
  }

  /** XRootD 5.5 sends too little for a range without an end, or with one after the end of the file. */
  async #closedRange(key: string, range: ByteRange, signal: AbortSignal | undefined): Promise<ByteRange> {
    if (!(await this.#isXRootD())) return range;
    const found = await this.head(key, { signal });
    if (found === null) throw new StorageError('GONE', `${this.#show(key)} does not exist`);
    const last = found.sizeBytes - 1;
    if (range.start <= last) return { start: range.start, end: Math.min(range.end ?? last, last) };
    const text = `${this.#show(key)} has ${found.sizeBytes} bytes; the range begins at ${range.start}`;
    throw new StorageError('INVALID', text);
  }

  async #write(key: string, source: FileSource, signal: AbortSignal | undefined): Promise<void> {
    const url = this.#urlOf(key);
    const attempt = async (): Promise<void> => {
      const send = async (request: FileRequest): Promise<FileResponse> => this.#send(request);
      await writeFile({ url, headers: digestHeaders(source.sha256), send }, source, { signal });
    };
    try {
      await attempt();
    } catch (error) {
      // The collection is missing: some servers make it, and others do not.
      const isMissing = error instanceof StatusError && [404, 409].includes(error.status);
      if (!isMissing || !key.includes('/')) throw error;
      await this.#makeCollections(key, signal);
      await attempt();
    }
  }

  /** As {@link #makeCollections}, but one call for the files that are signed at the same time. */
  async #makeCollectionsOnce(key: string, signal: AbortSignal | undefined): Promise<void> {
    const folder = key.slice(0, key.lastIndexOf('/') + 1);
    const making = this.#making.get(folder) ?? this.#makeCollections(key, signal);
    this.#making.set(folder, making);
    try {
      await making;
    } finally {
      if (this.#making.get(folder) === making) this.#making.delete(folder);
    }
  }

  async #makeCollections(key: string, signal: AbortSignal | undefined): Promise<void> {
    const parts = key.split('/').slice(0, -1);
    const make = (count: number): Promise<boolean> =>
      this.#makeCollection(parts.slice(0, count).join('/'), signal);
    // Mostly all but the last ones are there.
    let count = parts.length;
    while (count > 0 && !(await make(count))) count -= 1;
    while (count < parts.length) await make((count += 1));
  }

  /** @returns false if the collection above it may be missing */
  async #makeCollection(folder: string, signal: AbortSignal | undefined): Promise<boolean> {
    const request = { method: 'MKCOL', url: `${this.#urlOf(folder)}/`, signal };
    const response = await this.#send(request);
    // It exists, or a server forbids to try.
    if (![403, 404, 405, 409].includes(response.status)) await assertOk(response, request);
    await drain(response);
    return ![404, 409].includes(response.status);
  }

  async #move(from: string, to: string, ifAbsent: boolean, signal: AbortSignal | undefined): Promise<void> {
    const headers = { Destination: await this.#destination(to), Overwrite: ifAbsent ? 'F' : 'T' };
    const response = await this.#call({ method: 'MOVE', url: this.#urlOf(from), headers, signal });
    await drain(response);
  }

  /**
   * XRootD does not decode the header, and takes the bytes of the name as they are, but cuts off what is not
   * ASCII at its end: a query protects it.
   */
  async #destination(key: string): Promise<string> {
    if (!(await this.#isXRootD())) return this.#urlOf(key);
    return Buffer.from(`${this.#base}/${key}?x=1`).toString('latin1');
  }

  async #remove(key: string, signal: AbortSignal | undefined): Promise<void> {
    const request = { method: 'DELETE', url: this.#urlOf(key), signal };
    const response = await this.#send(request);
    if (response.status !== 404) await assertOk(response, request);
    await drain(response);
  }

  /** Also after an abort. What stays has a name that no list shows. */
  async #cleanUp(key: string): Promise<void> {
    await this.#remove(key, AbortSignal.timeout(cleanUpMs)).catch(() => undefined);
  }

  async #entries(folder: string, signal: AbortSignal | undefined): Promise<readonly FolderEntry[]> {
    const [, ...entries] = await this.#ordered(folder, signal);
    const isRaw = await this.#isXRootD();
    return entries
      .map((entry) => ({ ...entry, name: nameOf(entry.href, isRaw) }))
      .filter(({ name }) => name !== '' && !name.startsWith(ownPrefix))
      .map(({ name, isCollection, sizeBytes, modifiedAt }) => ({
        name,
        isFolder: isCollection,
        ...(!isCollection && { file: { sizeBytes, modifiedAt } }),
      }));
  }

  /** The collection itself, which has the shortest address, and then what is in it. */
  async #ordered(folder: string, signal: AbortSignal | undefined): Promise<readonly DavEntry[]> {
    const entries = await this.#properties(folder === '' ? '' : `${folder}/`, '1', signal);
    return [...entries].sort((a, b) => a.href.length - b.href.length);
  }

  async #properties(
    key: string,
    depth: '0' | '1',
    signal: AbortSignal | undefined,
  ): Promise<readonly DavEntry[]> {
    const url = key === '' ? `${this.#base}/` : this.#urlOf(key);
    // XRootD takes the body for the next request of the connection; without one it returns all properties.
    const body = (await this.#isXRootD()) ? {} : { body: propertiesBody };
    const headers = { Depth: depth, 'Content-Type': 'application/xml; charset=utf-8' };
    const request = { method: 'PROPFIND', url, headers, ...body, signal };
    const response = await this.#send(request);
    if (response.status === 404) {
      discard(response);
      return [];
    }
    await assertOk(response, request);
    return parseMultistatus(
      await readText(response, longestListBytes, `The list of ${withoutCredentials(url)}`),
    );
  }

  /** Sends a request and accepts only 2xx. */
  async #call(request: FileRequest): Promise<FileResponse> {
    const response = await this.#send(request);
    await assertOk(response, request);
    return response;
  }

  async #send(request: FileRequest): Promise<FileResponse> {
    request.signal?.throwIfAborted();
    const headers = { ...(await this.#rights.headers(request.signal)), ...request.headers };
    const send = async (sent: FileRequest): Promise<FileResponse> => this.#http.send(sent);
    return sendFollowing({ ...request, headers }, { send, trustedOrigins: this.#trusted });
  }

  /** XRootD cuts a name at `?`, also where it is encoded. */
  async #assertAddressable(key: string): Promise<void> {
    if (!key.includes('?') || !(await this.#isXRootD())) return;
    throw new StorageError(
      'INVALID',
      `Key ${JSON.stringify(key)} contains "?", which XRootD does not permit`,
    );
  }

  async #isXRootD(): Promise<boolean> {
    this.#server ??= this.#nameOfServer().catch((error: unknown) => {
      this.#server = undefined;
      throw error;
    });
    return /xrootd/i.test(await this.#server);
  }

  async #nameOfServer(): Promise<string> {
    const response = await this.#send({ method: 'OPTIONS', url: `${this.#base}/` });
    await drain(response);
    return String(response.headers['server'] ?? '');
  }

  #urlOf(key: string): string {
    return `${this.#base}/${encodeKey(key)}`;
  }

  #show(key: string): string {
    return `${withoutCredentials(this.#base)}/${key}`;
  }
}

/** Name of an entry: the last part of its address, encoded unless the server leaves it as it is. */
function nameOf(href: string, isRaw: boolean): string {
  const part = href.replace(/\/+$/, '').split('/').at(-1) ?? '';
  if (isRaw) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
