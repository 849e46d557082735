/** Inputs that were fetched before, in a folder that the pilots of a host share. */
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, readdir, rename, rm, stat, truncate, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '@rhizome/log';
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
const partPrefix = 'part-';

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
  /** The last removal of old entries. */
  #cleaning: Promise<void> = Promise.resolve();
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
   * Copies an entry to a path, and leaves an empty file there if it has none.
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
  async keep(location: string, expected: ExpectedContent, path: string): Promise<void> {
    const key = keyOf(location, expected);
    if (key === undefined) return;
    const { log, folder, limitBytes } = this.#options;
    const part = join(folder, `${partPrefix}${randomBytes(9).toString('hex')}`);
    try {
      const { size } = await stat(path);
      const entry = await this.#entry(key);
      if (entry === undefined || size < smallestBytes || size > limitBytes / 2) return;
      await copyFile(path, part, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      await rename(part, entry);
      this.#cleaning = this.#cleaning.then(async () => this.#removeOldest());
      await this.#cleaning;
    } catch (err) {
      log.warn({ err }, 'input not cached');
      await rm(part, { force: true }).catch(() => undefined);
    }
  }

  async #copy(entry: string, expected: ExpectedContent, path: string, signal: AbortSignal): Promise<boolean> {
    try {
      await copyFile(entry, path, constants.COPYFILE_FICLONE);
      const problem = await problemOfFile(path, expected, signal);
      if (problem === undefined) {
        const now = new Date();
        // The entry may have been removed meanwhile.
        await utimes(entry, now, now).catch(() => undefined);
        return true;
      }
      this.#options.log.warn({ entry, problem }, 'damaged entry of the input cache removed');
      await rm(entry, { force: true });
    } catch (err) {
      signal.throwIfAborted();
      if ((err as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#options.log.warn({ err }, 'input cache not read');
    }
    await truncate(path, 0);
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

  /** Removes the entries that were used least recently, until the others fit. */
  async #removeOldest(): Promise<void> {
    const { folder, limitBytes } = this.#options;
    const found: { readonly path: string; readonly size: number; readonly usedAt: number }[] = [];
    const abandonedBefore = Date.now() - abandonedMs;
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const { size, mtimeMs } = (await stat(path).catch(() => undefined)) ?? {};
      if (size === undefined || mtimeMs === undefined) continue;
      if (!name.startsWith(partPrefix)) found.push({ path, size, usedAt: mtimeMs });
      else if (mtimeMs < abandonedBefore) await rm(path, { force: true });
    }
    let total = found.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of found.sort((a, b) => a.usedAt - b.usedAt)) {
      if (total <= limitBytes) return;
      await rm(path, { force: true });
      total -= size;
    }
  }
}

function keyOf(location: string, { checksums = [] }: ExpectedContent): Key | undefined {
  const sha256 = checksums.find(({ kind }) => kind === 'SHA256')?.value;
  // The address of a URL is no proof that the job may read it.
  return sha256 !== undefined && location.startsWith('rhizome://') ? { location, sha256 } : undefined;
}
