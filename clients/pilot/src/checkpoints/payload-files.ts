import { type FileHandle, realpath } from 'node:fs/promises';
import { normalize } from 'node:path';
import {
  type FolderIdentity,
  identityOfFolder,
  openFileBelow,
  openFolder,
  pathOf,
  refusalOfFile,
  reopenFolder,
} from '@rhizome/storage/open-folder';

/** A file of a payload that cannot be stored, with the reason. */
export class FileRefused extends Error {
  constructor(path: string, reason: string) {
    super(`${JSON.stringify(path)} is refused: ${reason}`);
    this.name = 'FileRefused';
  }
}

const outside = 'it is not in the folder of the job';

/**
 * Opens files in the folder of one attempt. No part of a path may be a link: a link would lead the pilot to
 * files that the payload itself cannot read.
 */
export class PayloadFiles {
  readonly #root: FileHandle;
  /** Paths of the folder; both end with `/`. */
  readonly #prefixes: readonly string[];

  private constructor(root: FileHandle, prefixes: readonly string[]) {
    this.#root = root;
    this.#prefixes = prefixes;
  }

  /**
   * Opens the folder; undefined if it was replaced.
   * @param identity that of the folder when the payload started; undefined before
   */
  static async open(path: string, identity?: FolderIdentity): Promise<PayloadFiles | undefined> {
    const root = await (identity === undefined ? openFolder(path) : reopenFolder(path, identity));
    return root && new PayloadFiles(root, [`${path}/`, `${await realpath(pathOf(root))}/`]);
  }

  async identity(): Promise<FolderIdentity> {
    return identityOfFolder(this.#root);
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  /** Calls `use` with the open file. @throws FileRefused */
  async withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
    const file = await this.#open(path);
    try {
      const { dev } = await this.#root.stat({ bigint: true });
      const reason = refusalOfFile(await file.stat({ bigint: true }), dev);
      if (reason !== undefined) throw new FileRefused(path, reason);
      return await use(file);
    } finally {
      await file.close();
    }
  }

  async #open(path: string): Promise<FileHandle> {
    const clean = normalize(path);
    const prefix = this.#prefixes.find((one) => clean.startsWith(one));
    if (prefix === undefined || clean.includes('\0')) throw new FileRefused(path, outside);
    const relative = clean.slice(prefix.length);
    if (relative === '' || relative.endsWith('/')) throw new FileRefused(path, 'it is not a regular file');
    try {
      return await openFileBelow(this.#root, relative);
    } catch (error) {
      throw new FileRefused(path, reasonOf(error));
    }
  }
}

function reasonOf(error: unknown): string {
  const code = String((error as NodeJS.ErrnoException).code ?? error);
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    ELOOP: 'it is a link',
    ENOTDIR: 'a part of its path is a link or no folder',
    EACCES: 'it may not be read',
    ENXIO: 'it is not a regular file',
  };
  return reasons[code] ?? code;
}
