import { dirname } from 'node:path';
import type { FileHandle } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { checksumFile, type Digest } from './checksum.js';
import { assertDeclaredOutput, assertOutputPath, isStorageError } from '@rhizome/storage';
import {
  type FolderIdentity,
  openFileBelow,
  openFolder,
  pathOf,
  refusalOfFile,
} from '@rhizome/storage/open-folder';
import { pathsOf, SearchEnded, type SearchLimits } from './output-search.js';

/** A declared output that exists, with its checksum. */
export interface FoundOutput extends Digest {
  /** Path in the folder, with `/`. */
  readonly name: string;
  /** Inode of the file that was read. */
  readonly inode: bigint;
}

/** Output that is not stored, with the reason. */
export interface RefusedOutput {
  readonly name: string;
  /** Undefined if there is no such file. */
  readonly reason: string | undefined;
  /** True if it exceeds a limit of the outputs of an attempt. */
  readonly isOverLimit?: boolean;
}

/** Returns why no more files of this size are stored; undefined if it may be. */
export type Budget = (sizeBytes: number) => string | undefined;

/**
 * The folder for the outputs of one attempt. It is opened before the payload starts and stays open: whatever
 * the payload puts at its path or at a path above, the pilot reads this folder only, and in it only regular
 * files that have no other name.
 */
export class OutputFolder {
  readonly #path: string;
  readonly #folder: FileHandle;
  readonly #identity: BigIntStats;
  readonly #isOriginal: boolean;

  private constructor(path: string, folder: FileHandle, identity: BigIntStats, isOriginal = true) {
    this.#path = path;
    this.#folder = folder;
    this.#identity = identity;
    this.#isOriginal = isOriginal;
  }

  /** Opens the folder that the pilot has just made. */
  static async open(path: string): Promise<OutputFolder> {
    const folder = await openFolder(path);
    return new OutputFolder(path, folder, await folder.stat({ bigint: true }));
  }

  /**
   * Opens a folder that an earlier pilot has made. If a payload has put something else in its place, the
   * folder above it is opened, and counts as replaced.
   */
  static async reopen(path: string, identity: FolderIdentity): Promise<OutputFolder> {
    const folder = await openFolder(path).catch(async () => openFolder(dirname(path)));
    const found = await folder.stat({ bigint: true });
    const isSame = String(found.dev) === identity.device && String(found.ino) === identity.inode;
    return new OutputFolder(path, folder, found, isSame);
  }

  /** Distinguishes it from all other folders of the host. */
  get identity(): FolderIdentity {
    const { dev, ino } = this.#identity;
    return { device: String(dev), inode: String(ino) };
  }

  async close(): Promise<void> {
    await this.#folder.close();
  }

  /** True if the path still leads to this folder, and not by a link at its end. */
  async isInPlace(): Promise<boolean> {
    if (!this.#isOriginal) return false;
    const now = await openFolder(this.#path).catch(() => undefined);
    if (now === undefined) return false;
    try {
      const { dev, ino } = await now.stat({ bigint: true });
      return dev === this.#identity.dev && ino === this.#identity.ino;
    } finally {
      await now.close();
    }
  }

  /**
   * Paths of what an entry declares, which need not be regular files, or why they cannot be searched.
   */
  async search(entry: string, limits: SearchLimits): Promise<readonly string[] | RefusedOutput> {
    const problem = problemOf(() => assertDeclaredOutput(entry));
    if (problem !== undefined) return { name: entry, reason: problem };
    try {
      return await pathsOf(this.#folder, entry, limits);
    } catch (error) {
      limits.signal.throwIfAborted();
      return refusalOf(entry, error);
    }
  }

  /** Reads an output for its checksum, or returns why it cannot be one. */
  async find(name: string, budget: Budget, signal: AbortSignal): Promise<FoundOutput | RefusedOutput> {
    const problem = problemOf(() => assertOutputPath(name));
    if (problem !== undefined) return { name, reason: problem };
    const file = await this.#open(name).catch((error: unknown) => refusalOf(name, error));
    if (!('fd' in file)) return file;
    try {
      const found = await file.stat({ bigint: true });
      const reason = this.#refusal(found);
      if (reason !== undefined) return { name, reason };
      const excess = budget(Number(found.size));
      if (excess !== undefined) return { name, reason: excess, isOverLimit: true };
      return { name, inode: found.ino, ...(await checksumFile(pathOf(file), signal)) };
    } finally {
      await file.close();
    }
  }

  /**
   * Calls `use` with a path that leads to the open file, whatever its name leads to.
   * @throws Error if it is not the file that was found
   */
  async withFile<T>({ name, inode }: FoundOutput, use: (path: string) => Promise<T>): Promise<T> {
    const file = await this.#open(name);
    try {
      const now = await file.stat({ bigint: true });
      if (now.ino !== inode || this.#refusal(now) !== undefined) throw new Error('the file was replaced');
      return await use(pathOf(file));
    } finally {
      await file.close();
    }
  }

  async #open(name: string): Promise<FileHandle> {
    return openFileBelow(this.#folder, name);
  }

  #refusal(file: BigIntStats): string | undefined {
    return refusalOfFile(file, this.#identity.dev);
  }
}

/** Message of the error that a check throws; undefined if it throws none. */
function problemOf(check: () => void): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (!isStorageError(error, 'INVALID')) throw error;
    return error.message;
  }
}

function refusalOf(name: string, error: unknown): RefusedOutput {
  const code = String((error as NodeJS.ErrnoException).code ?? error);
  const reasons: Readonly<Record<string, string | undefined>> = {
    ENOENT: undefined,
    ELOOP: 'it is a link',
    ENOTDIR: 'a part of its path is a link or no folder',
    EACCES: 'it may not be read',
    ENXIO: 'it is not a regular file',
  };
  if (error instanceof SearchEnded) return { name, reason: error.message, isOverLimit: true };
  return { name, reason: code in reasons ? reasons[code] : code };
}
