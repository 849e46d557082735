/** Files that are being written: they take their place in a folder when they are whole. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { ownPrefix } from '../keys.js';
import { openFolder, pathOf } from './open-folder.js';

/** Name of the folder for them, in the root: a new name moves within one file system. */
const folderName = `${ownPrefix}partial`;
/** Age without a write after which a partial file belongs to a process that ended, in milliseconds. */
const abandonedMs = 24 * 60 * 60 * 1000;

/** A file that is being written. */
export interface PartialFile {
  readonly file: FileHandle;
  /** Path that stays valid until {@link discard}. */
  readonly path: string;
  /** Closes the file and removes this name of it. */
  discard(): Promise<void>;
}

/** Creates a partial file. @throws the error of the operating system */
export async function createPartial(root: FileHandle): Promise<PartialFile> {
  const folder = await openPartialFolder(root);
  const path = `${pathOf(folder)}/${randomBytes(12).toString('hex')}`;
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  try {
    const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o640);
    const discard = async (): Promise<void> => {
      await file.close();
      await unlink(path).catch(nothingIfMissing);
      await folder.close();
    };
    return { file, path, discard };
  } catch (error) {
    await folder.close();
    throw error;
  }
}

/** Removes partial files that processes left when they were killed. @returns how many */
export async function removeAbandoned(root: FileHandle, now: Date): Promise<number> {
  const folder = await openPartialFolder(root);
  let count = 0;
  try {
    for (const name of await readdir(pathOf(folder))) {
      const path = `${pathOf(folder)}/${name}`;
      const found = await stat(path).catch(nothingIfMissing);
      if (found === undefined || now.getTime() - found.mtimeMs < abandonedMs) continue;
      await unlink(path).catch(nothingIfMissing);
      count += 1;
    }
  } finally {
    await folder.close();
  }
  return count;
}

async function openPartialFolder(root: FileHandle): Promise<FileHandle> {
  const path = `${pathOf(root)}/${folderName}`;
  try {
    return await openFolder(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await mkdir(path, { recursive: true, mode: 0o750 });
    return openFolder(path);
  }
}

function nothingIfMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
