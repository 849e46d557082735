import { constants } from 'node:fs';
import { copyFile, mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, resolve } from 'node:path';
import type { FileStore } from './file-store.types.js';

/** A folder that all workers see, for example on a shared file system. */
export class FolderStore implements FileStore {
  readonly #root: string;

  constructor(folder: string) {
    this.#root = resolve(folder);
  }

  async put(localPath: string, place: string, signal: AbortSignal): Promise<void> {
    const target = this.#pathOf(place);
    const part = `${target}.part-${process.pid}`;
    await mkdir(dirname(target), { recursive: true });
    try {
      await copy(localPath, part, signal);
      await rename(part, target);
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  }

  async get(place: string, localPath: string, signal: AbortSignal): Promise<void> {
    await copy(this.#pathOf(place), localPath, signal);
  }

  async remove(place: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const path = this.#pathOf(place);
    await rm(path, { force: true });
    // Its folder goes with its last file.
    await rmdir(dirname(path)).catch(() => undefined);
  }

  /** The path of a key; it always stays inside the folder. */
  #pathOf(place: string): string {
    const clean = normalize(place);
    if (isAbsolute(clean) || clean === '..' || clean.startsWith('../') || clean.includes('\0')) {
      throw new Error(`${JSON.stringify(place)} is not a key of the file store`);
    }
    return join(this.#root, clean);
  }
}

/** Copies a file. On file systems that can share blocks between files, a copy costs nothing. */
async function copy(from: string, to: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  signal.throwIfAborted();
}
