/** Inputs that were fetched before, in a folder that the pilots of a host share. */
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from '@rhizome/log';
import { isStorageError, StorageError } from '@rhizome/storage';
import { type ExpectedContent, problemOfFile } from './content-check.js';
import { makeOwnFolder } from './scratch.js';

/** Options of {@link InputCache}. */
export interface InputCacheOptions {
  readonly folder: string;
  readonly limitBytes: number;
  readonly log: Logger;
}

/** Smallest file that is kept: smaller ones are fetched as fast as they are found. */
const smallestBytes = 1024 ** 2;
/** Age after which a file that was not kept whole belongs to a pilot that has ended, in milliseconds. */
const abandonedMs = 3_600_000;
/** Names of entries, and of files that are not whole yet. All others in the folder are left alone. */
const entryName = /^[0-9a-f]{64}-[0-9a-f]{32}$/;
const partName = /^part-[0-9a-f]{18}$/;

/** Location in a storage, for which core gave an address, and the SHA-256 that was declared. */
interface Key {
  readonly location: string;
  readonly sha256: string;
}

/**
 * Cache of inputs whose SHA-256 is declared. An entry belongs to the place from which it was fetched: a job
 * that knows only the digest of a file of another owner gets nothing: core does not sign that place for it.
 *
 * Entries appear by renaming and are never changed, so that pilots need no locks: a file that is removed
 * while it is copied is still read to its end. What is found is copied, as payloads may change their files,
 * and the copy is checked: a damaged entry, as after a crash, is removed.
 */
export class InputCache {
  readonly #options: InputCacheOptions;
  #isMade: Promise<void> | undefined;
  /** The last file to keep: one is copied at a time, so that the limit holds. */
  #keeping: Promise<void> = Promise.resolve();
  #hits = 0;
  #misses = 0;

  constructor(options: InputCacheOptions) {
    this.#options = options;
  }

  /** Numbers of files that were found, and that were not, since the start. */
  get counts(): { readonly hits: number; readonly misses: number } {
    return { hits: this.#hits, misses: this.#misses };
  }

  /**
   * Copies an entry to a path in place of what is there, which stays without an entry.
   * @returns true if the file is there, whole
   */
  async take(
    location: string,
    expected: ExpectedContent,
    path: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const key = keyOf(location, expected);
    if (key === undefined) return false;
    const entry = await this.#entry(key);
    const isFound = entry !== undefined && (await this.#copy(entry, expected, path, signal));
    if (isFound) this.#hits += 1;
    else this.#misses += 1;
    return isFound;
  }

  /** Keeps a file that was fetched and checked. Failures cost only the next fetch. */
  async keep(location: string, expected: ExpectedContent, path: string, signal: AbortSignal): Promise<void> {
    const key = keyOf(location, expected);
    if (key === undefined) return;
    this.#keeping = this.#keeping.then(async () => (signal.aborted ? undefined : this.#keep(key, path)));
    return this.#keeping;
  }

  async #keep(key: Key, path: string): Promise<void> {
    const { log, folder, limitBytes } = this.#options;
    const part = join(folder, `part-${randomBytes(9).toString('hex')}`);
    try {
      const { size } = await stat(path);
      const entry = await this.#entry(key);
      if (entry === undefined || size < smallestBytes || size > limitBytes / 2) return;
      if (!(await this.#makeSpace(size))) return;
      await copyFile(path, part, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      await rename(part, entry);
    } catch (err) {
      log.warn({ err }, 'input not cached');
      await rm(part, { force: true }).catch(() => undefined);
    }
  }

  /**
   * Copies an entry to another name and renames it: a copy that fails removes its target. Without success,
   * the path stays as it is.
   * @throws StorageError CORRUPT if the entry is whole and not as the job expects
   */
  async #copy(entry: string, expected: ExpectedContent, path: string, signal: AbortSignal): Promise<boolean> {
    const { log } = this.#options;
    const copy = join(dirname(path), `.rhizome-${randomBytes(9).toString('hex')}`);
    try {
      await copyFile(entry, copy, constants.COPYFILE_FICLONE);
      const problem = await problemOfFile(copy, expected, signal);
      if (problem === undefined) {
        await rename(copy, path);
        const now = new Date();
        // The entry may have been removed meanwhile.
        await utimes(entry, now, now).catch(() => undefined);
        return true;
      }
      const sha256 = expected.checksums?.filter(({ kind }) => kind === 'SHA256') ?? [];
      // Another declaration that is wrong, such as that of the size, must not cost other jobs the entry.
      if ((await problemOfFile(copy, { checksums: sha256 }, signal)) === undefined)
        throw new StorageError('CORRUPT', `The file ${problem}`);
      log.warn({ entry, problem }, 'damaged entry of the input cache removed');
      await rm(entry, { force: true });
    } catch (err) {
      signal.throwIfAborted();
      if (isStorageError(err)) throw err;
      const { code = '' } = err as NodeJS.ErrnoException;
      if (code !== 'ENOENT') log.warn({ err, entry }, 'input cache not read');
      // A bad block of the disk stays.
      if (code === 'EIO') await rm(entry, { force: true }).catch(() => undefined);
    } finally {
      await rm(copy, { force: true }).catch(() => undefined);
    }
    return false;
  }

  /** Path of an entry; undefined if the folder cannot be used. */
  async #entry({ location, sha256 }: Key): Promise<string | undefined> {
    const { folder, log } = this.#options;
    this.#isMade ??= makeOwnFolder(folder);
    try {
      await this.#isMade;
    } catch (err) {
      this.#isMade = undefined;
      log.warn({ err }, 'folder of the input cache cannot be used');
      return undefined;
    }
    const place = createHash('sha256').update(location).digest('hex').slice(0, 32);
    return join(folder, `${sha256}-${place}`);
  }

  /**
   * Removes the entries that were used least recently, until the others fit with a file of this size.
   * @returns false if they do not, because of files that other pilots are about to keep
   */
  async #makeSpace(sizeBytes: number): Promise<boolean> {
    const { folder, limitBytes, log } = this.#options;
    const found: { readonly path: string; readonly size: number; readonly usedAt: number }[] = [];
    const abandonedBefore = Date.now() - abandonedMs;
    let total = sizeBytes;
    const remove = async (path: string): Promise<boolean> =>
      rm(path, { force: true }).then(
        () => true,
        (err: unknown) => {
          log.warn({ err, path }, 'file of the input cache not removed');
          return false;
        },
      );
    for (const name of await readdir(folder)) {
      const isPart = partName.test(name);
      if (!isPart && !entryName.test(name)) continue;
      const path = join(folder, name);
      const { size, mtimeMs } = (await stat(path).catch(() => undefined)) ?? {};
      if (size === undefined || mtimeMs === undefined) continue;
      if (isPart && mtimeMs < abandonedBefore && (await remove(path))) continue;
      total += size;
      if (!isPart) found.push({ path, size, usedAt: mtimeMs });
    }
    for (const { path, size } of found.sort((a, b) => a.usedAt - b.usedAt)) {
      if (total <= limitBytes) break;
      if (await remove(path)) total -= size;
    }
    return total <= limitBytes;
  }
}

function keyOf(location: string, { checksums = [] }: ExpectedContent): Key | undefined {
  const sha256 = checksums.find(({ kind }) => kind === 'SHA256')?.value;
  // The address of a URL is no proof that the job may read it.
  return sha256 !== undefined && location.startsWith('rhizome://') ? { location, sha256 } : undefined;
}
