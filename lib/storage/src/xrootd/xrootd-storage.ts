import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { withoutCredentials } from '../http/http-client.js';
import { faultOfSource } from '../http/transfers.js';
import { assertKey, assertPrefix, ownPrefix } from '../keys.js';
import { pieceBytes, VerifiedContent } from '../sources.js';
import { isStorageError, StorageError } from '../storage-error.js';
import { type FolderEntry, listFolders } from '../walk.js';
import { runClient, startClient } from './xrootd-client.js';
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
  TokenFileCredential,
  XRootDDefinition,
} from '../storage.types.js';

/** Characters that the programs of the client do not take as a part of a name. */
const notAddressable = /[?&\\"'\s]/;
/** Time for the removal of a file that was not stored whole, in milliseconds. */
const cleanUpMs = 10_000;

/** Files of a folder on an XRootD server, by the programs `xrdfs` and `xrdcp` of the platform. */
export class XRootDStorage implements StorageProvider {
  readonly #server: string;
  readonly #folder: string;
  readonly #tokenFile: string | undefined;
  readonly #web: StorageProvider | undefined;

  /**
   * @param web the same folder by WebDAV, which signs addresses
   * @throws StorageError INVALID if the address is no `root://` or `xroots://` URL
   */
  constructor(
    { address }: XRootDDefinition,
    credential: TokenFileCredential | undefined,
    web?: StorageProvider,
  ) {
    const [, server, folder = ''] = /^((?:x?roots?):\/\/[^/?#@]+)(?:\/{1,2}([^?#]*))?$/i.exec(address) ?? [];
    if (server === undefined)
      throw new StorageError(
        'INVALID',
        `${withoutCredentials(address)} is no root:// or xroots:// URL of a folder`,
      );
    this.#server = server.replace(/^\w+/, (scheme) => scheme.toLowerCase());
    this.#folder = `/${folder}`.replace(/\/+$/, '');
    this.#tokenFile = credential?.file;
    this.#web = web;
  }

  async put(
    key: string,
    source: FileSource,
    { ifAbsent = false, signal }: PutOptions = {},
  ): Promise<StoredFile> {
    const path = this.#pathOf(key);
    if (ifAbsent && (await this.head(key, { signal })) !== null)
      throw new StorageError('EXISTS', `${this.#server}/${path} exists`);
    const folder = path.slice(0, path.lastIndexOf('/'));
    const partial = `${folder}/${ownPrefix}part-${randomBytes(9).toString('hex')}`;
    try {
      await this.#write(partial, source, signal);
      // A rename replaces the file that was there.
      await this.#run(['mv', partial, path], `Storing ${this.#server}/${path}`, signal);
    } catch (error) {
      await this.#run(['rm', partial], 'Cleaning up', AbortSignal.timeout(cleanUpMs)).catch(() => undefined);
      throw error;
    }
    const { sizeBytes, sha256 } = source;
    return { key, sizeBytes, sha256, modifiedAt: (await this.head(key, { signal }))?.modifiedAt ?? null };
  }

  /** The programs read no ranges: what is before a range is read, and not passed on. */
  async get(key: string, { range, signal }: GetOptions = {}): Promise<FileBody> {
    const found = await this.head(key, { signal });
    const what = `Reading ${this.#server}/${this.#pathOf(key)}`;
    if (found === null) throw new StorageError('GONE', `${what} failed: there is no such file`);
    const { sizeBytes } = found;
    if (range !== undefined && range.start >= sizeBytes)
      throw new StorageError(
        'INVALID',
        `${what}: it has ${sizeBytes} bytes; the range begins at ${range.start}`,
      );
    const { start = 0, end = sizeBytes } = range ?? {};
    return {
      body: this.#read(this.#pathOf(key), what, { start, end: Math.min(end + 1, sizeBytes) }, signal),
      sizeBytes,
    };
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<StoredFile | null> {
    const path = this.#pathOf(key);
    try {
      const output = await this.#run(['stat', path], `Looking up ${this.#server}/${path}`, signal);
      if (/^Flags:.*\bIsDir\b/m.test(output)) return null;
      const sizeBytes = Number(/^Size:\s*(\d+)/m.exec(output)?.[1]);
      const time = /^MTime:\s*(\S+ \S+)/m.exec(output)?.[1];
      return {
        key,
        sizeBytes,
        modifiedAt: time === undefined ? null : new Date(`${time.replace(' ', 'T')}Z`),
      };
    } catch (error) {
      if (isStorageError(error, 'GONE')) return null;
      throw error;
    }
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

  async delete(key: string, { signal }: CallOptions = {}): Promise<void> {
    // Files that were stored by signed addresses may have names that the programs do not take.
    if (this.#web !== undefined && notAddressable.test(key)) return this.#web.delete(key, { signal });
    const path = this.#pathOf(key);
    await this.#run(['rm', path], `Removing ${this.#server}/${path}`, signal).catch((error: unknown) => {
      if (!isStorageError(error, 'GONE')) throw error;
    });
  }

  async sign(key: string, grant: StorageGrant): Promise<SignedAddress> {
    assertKey(key);
    if (this.#web !== undefined) return this.#web.sign(key, grant);
    const text = 'XRootD has no signed addresses; set webAddress to the same folder by WebDAV';
    throw new StorageError('INVALID', text);
  }

  async close(): Promise<void> {
    await this.#web?.close();
  }

  async #write(path: string, source: FileSource, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const what = `Writing ${this.#server}/${path}`;
    const content = new VerifiedContent(what, source);
    let fault: unknown;
    content.once('error', (error) => (fault = error));
    const args = ['--force', '--nopbar', '--path', '--posc', '-', this.#urlOf(path)];
    const faults = new AbortController();
    const ended = signal === undefined ? faults.signal : AbortSignal.any([signal, faults.signal]);
    const client = startClient('xrdcp', args, { what, tokenFile: this.#tokenFile, signal: ended });
    client.process.stdout.resume();
    // A program whose input ends early takes it for the whole file: it is killed instead.
    const sent = pipeline(source.open(), content, client.process.stdin).catch((error: unknown) => {
      faults.abort(error);
    });
    try {
      await client.ended;
      await sent;
      faults.signal.throwIfAborted();
    } catch (error) {
      signal?.throwIfAborted();
      throw isStorageError(fault) ? faultOfSource(fault) : error;
    }
  }

  #read(
    path: string,
    what: string,
    { start, end }: { readonly start: number; readonly end: number },
    signal: AbortSignal | undefined,
  ): Readable {
    const client = startClient('xrdcp', ['--nopbar', '--force', this.#urlOf(path), '-'], {
      what,
      tokenFile: this.#tokenFile,
      signal,
    });
    client.process.stdin.end();
    client.ended.catch(() => undefined);
    const pieces = async function* (): AsyncGenerator<Buffer> {
      let at = 0;
      try {
        for await (const piece of client.process.stdout) {
          const bytes = piece as Buffer;
          const wanted = bytes.subarray(Math.max(0, start - at), Math.max(0, end - at));
          at += bytes.length;
          if (wanted.length > 0) yield wanted;
          if (at >= end) return;
        }
        await client.ended;
        if (at < end) throw new StorageError('SLOW', `${what} ended after ${at} of ${end} bytes`);
      } finally {
        client.process.kill('SIGKILL');
      }
    };
    return Readable.from(pieces(), { objectMode: false, highWaterMark: pieceBytes });
  }

  /** Lines such as `-rw-r--r-- root root 1024 2026-11-29 04:54:10 /folder/name`. */
  async #entries(folder: string, signal: AbortSignal | undefined): Promise<readonly FolderEntry[]> {
    const path = folder === '' ? this.#folder : this.#pathOf(folder);
    const output = await this.#run(
      ['ls', '-l', path === '' ? '/' : path],
      `Listing ${this.#server}/${path}`,
      signal,
    ).catch((error: unknown) => {
      if (isStorageError(error, 'GONE')) return '';
      throw error;
    });
    return output.split('\n').flatMap((line): readonly FolderEntry[] => {
      const [, kind, size, time, name = ''] =
        /^([d-])\S* .*?(\d+) (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) .*\/(.+)$/.exec(line) ?? [];
      if (kind === undefined || name.startsWith(ownPrefix)) return [];
      if (kind === 'd') return [{ name, isFolder: true }];
      const file = { sizeBytes: Number(size), modifiedAt: new Date(`${time?.replace(' ', 'T')}Z`) };
      return [{ name, isFolder: false, file }];
    });
  }

  async #run(args: readonly string[], what: string, signal: AbortSignal | undefined): Promise<string> {
    signal?.throwIfAborted();
    return runClient('xrdfs', [this.#server, ...args], { what, tokenFile: this.#tokenFile, signal });
  }

  #pathOf(key: string): string {
    assertKey(key);
    if (notAddressable.test(key))
      throw new StorageError(
        'INVALID',
        `Key ${JSON.stringify(key)} contains a space, "?", "&" or a quote, which XRootD's client does not take`,
      );
    return `${this.#folder}/${key}`;
  }

  #urlOf(path: string): string {
    return `${this.#server}/${path}`;
  }
}
