/** Files of a folder, reached from the open folder part by part: no link leads out of it. */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises';
import { ownPrefix } from '../keys.js';
import { openFolder, pathOf } from './open-folder.js';
import type { FolderEntry } from '../walk.js';

/** A folder of the tree with the name of an entry in it. */
interface Place {
  readonly folder: FileHandle;
  readonly name: string;
}

/** The tree of a folder. Keys are checked by the caller. */
export class FolderTree {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Opens the root, also by a link: its path is the operator's own. */
  async openRoot(): Promise<FileHandle> {
    return open(this.#root, constants.O_RDONLY | constants.O_DIRECTORY);
  }

  /**
   * Calls `use` with the open folder of a key and the name in it.
   * @param make makes the folders that are missing
   * @throws the error of the operating system
   */
  async within<T>(key: string, use: (place: Place) => Promise<T>, make = false): Promise<T> {
    const parts = key.split('/');
    const name = parts.pop() ?? '';
    const folder = await this.#openFolders(parts, make);
    try {
      return await use({ folder, name });
    } finally {
      await folder.close();
    }
  }

  /** Entries of a folder, without links, sockets and devices; empty if there is no such folder. */
  async entries(key: string): Promise<readonly FolderEntry[]> {
    const folder = await this.#openFolders(key === '' ? [] : key.split('/'), false).catch(nothingIfMissing);
    if (folder === undefined) return [];
    try {
      const entries = await readdir(pathOf(folder), { withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile() || entry.isDirectory())
        .filter(({ name }) => key !== '' || !name.startsWith(ownPrefix))
        .map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
    } finally {
      await folder.close();
    }
  }

  async #openFolders(parts: readonly string[], make: boolean): Promise<FileHandle> {
    let folder = await this.openRoot();
    for (const part of parts) {
      const path = `${pathOf(folder)}/${part}`;
      try {
        if (make) await mkdir(path).catch(nothingIfThere);
        const next = await openFolder(path);
        await folder.close();
        folder = next;
      } catch (error) {
        await folder.close();
        throw error;
      }
    }
    return folder;
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

function nothingIfThere(error: unknown): void {
  if (codeOf(error) !== 'EEXIST') throw error;
}

function nothingIfMissing(error: unknown): undefined {
  const code = codeOf(error);
  if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ELOOP') throw error;
}
