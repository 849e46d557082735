import type { BigIntStats } from 'node:fs';
import { type FileHandle, link, rename, rmdir, unlink } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { assertKey, assertPrefix } from '../keys.js';
import { type ExpectedContent, pieceBytes, VerifiedContent } from '../sources.js';
import { StorageError } from '../storage-error.js';
import { listFolders } from '../walk.js';
import { folderError } from './folder-errors.js';
import { type FileServiceSigner, signedBy } from '../file-service/signer.js';
import { writerOf } from './file-writer.js';
import { FolderTree } from './folder-tree.js';
import { openPlainFile, pathOf } from './open-folder.js';
import { createPartial, type PartialFile, removeAbandoned } from './partial-files.js';
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

/** An open file of a folder. The caller closes it. */
export interface OpenFile {
  readonly file: FileHandle;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  /** Differs for each content that the key ever had. */
  readonly version: string;
}

/** Tries to put a file in its place while its folder is removed by others, because it was empty. */
const mostPlacings = 8;

/**
 * Files of a folder. A file is written under a temporary name, flushed to disk and then renamed. Links are
 * not followed, and are not listed. Several processes may use a folder.
 */
export class FolderStorage implements StorageProvider {
  readonly #tree: FolderTree;
  readonly #signer: FileServiceSigner | undefined;

  /** @param signer signs addresses of the file service that serves the folder */
  constructor(folder: string, signer?: FileServiceSigner) {
    this.#tree = new FolderTree(folder);
    this.#signer = signer;
  }

  /** As in the interface; also accepts content whose size or digest are not known before. */
  async put(
    key: string,
    source: ExpectedContent & Pick<FileSource, 'open'>,
    options: PutOptions = {},
  ): Promise<StoredFile> {
    assertKey(key);
    const content = new VerifiedContent(JSON.stringify(key), source);
    return this.#acting('written', key, async () => {
      const root = await this.#tree.openRoot();
      try {
        const partial = await createPartial(root);
        try {
          await pipeline(source.open(), content, writerOf(partial.file), { signal: options.signal });
          await partial.file.sync();
          return await this.#place(key, partial, content, options);
        } finally {
          await partial.discard();
        }
      } finally {
        await root.close();
      }
    });
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<FileBody> {
    signal?.throwIfAborted();
    const { file, sizeBytes } = await this.open(key);
    if (range !== undefined && range.start >= sizeBytes) {
      await file.close();
      const text = `${JSON.stringify(key)} has ${sizeBytes} bytes; the range begins at ${range.start}`;
      throw new StorageError('INVALID', text);
    }
    return { body: readerOf(file, range, signal), sizeBytes };
  }

  /** Opens a regular file. @throws StorageError GONE if there is none */
  async open(key: string): Promise<OpenFile> {
    assertKey(key);
    return this.#acting('read', key, () =>
      this.#tree.within(key, async ({ folder, name }) => {
        const file = await openPlainFile(`${pathOf(folder)}/${name}`);
        try {
          const found = await file.stat({ bigint: true });
          if (!found.isFile()) throw new StorageError('GONE', `${JSON.stringify(key)} is no file`);
          return { file, ...describe(found) };
        } catch (error) {
          await file.close();
          throw error;
        }
      }),
    );
  }

  async head(key: string, { signal }: CallOptions = {}): Promise<StoredFile | null> {
    signal?.throwIfAborted();
    try {
      const { file, sizeBytes, modifiedAt } = await this.open(key);
      await file.close();
      return { key, sizeBytes, modifiedAt };
    } catch (error) {
      if (error instanceof StorageError && error.kind === 'GONE') return null;
      throw error;
    }
  }

  async list(prefix: string, options: ListOptions = {}): Promise<FileList> {
    assertPrefix(prefix);
    const { after, limit, signal } = options;
    const folders = {
      entries: async (folder: string) => this.#tree.entries(folder),
      file: async (key: string) => this.head(key),
    };
    return this.#acting('read', prefix, () => listFolders(folders, { prefix, after, limit, signal }));
  }

  async delete(key: string, { signal }: CallOptions = {}): Promise<void> {
    assertKey(key);
    signal?.throwIfAborted();
    await this.#acting('written', key, () => this.#remove(key)).catch((error: unknown) => {
      if (!(error instanceof StorageError && error.kind === 'GONE')) throw error;
    });
  }

  sign(key: string, grant: StorageGrant): Promise<SignedAddress> {
    return signedBy(this.#signer, key, grant);
  }

  async close(): Promise<void> {
    // Nothing stays open between calls.
  }

  /** Removes what writers left that were killed. @returns how many files */
  async removeAbandoned(now: Date): Promise<number> {
    const root = await this.#tree.openRoot();
    try {
      return await removeAbandoned(root, now);
    } finally {
      await root.close();
    }
  }

  async #place(
    key: string,
    { file, path }: PartialFile,
    { sizeBytes, sha256 }: VerifiedContent,
    { ifAbsent = false, signal }: PutOptions,
  ): Promise<StoredFile> {
    for (let tries = 1; ; tries += 1) {
      signal?.throwIfAborted();
      try {
        return await this.#tree.within(
          key,
          async ({ folder, name }) => {
            const target = `${pathOf(folder)}/${name}`;
            // A link to the file is made only if the name is free; a new name replaces what was there.
            await (ifAbsent ? link(path, target) : rename(path, target));
            await folder.sync();
            return { key, sizeBytes, modifiedAt: (await file.stat()).mtime, sha256 };
          },
          true,
        );
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries === mostPlacings) throw error;
      }
    }
  }

  /** Removes a file, and the folders that it leaves empty. */
  async #remove(key: string): Promise<void> {
    await this.#tree.within(key, async ({ folder, name }) => {
      await unlink(`${pathOf(folder)}/${name}`);
      await folder.sync();
    });
    const parts = key.split('/');
    while (parts.pop() !== undefined && parts.length > 0) {
      const isEmpty = await this.#tree
        .within(parts.join('/'), async ({ folder, name }) => rmdir(`${pathOf(folder)}/${name}`))
        .then(
          () => true,
          () => false,
        );
      if (!isEmpty) return;
    }
  }

  async #acting<T>(action: 'read' | 'written', key: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      throw folderError(error, action, key);
    }
  }
}

function describe({ size, ino, mtime, mtimeNs }: BigIntStats): Omit<OpenFile, 'file'> {
  const version = [ino, size, mtimeNs].map((part) => part.toString(36)).join('-');
  return { sizeBytes: Number(size), modifiedAt: mtime, version };
}

/** Reads a part of a file and closes it at the end. */
export function readerOf(
  file: FileHandle,
  range: GetOptions['range'],
  signal: AbortSignal | undefined,
): ReturnType<FileHandle['createReadStream']> {
  return file.createReadStream({
    highWaterMark: pieceBytes,
    ...(range && { start: range.start, ...(range.end !== undefined && { end: range.end }) }),
    ...(signal && { signal }),
  });
}
