/** Folders that stay open, whatever a payload puts at their paths. */
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';

/** Device and inode of a folder, in decimal. */
export interface FolderIdentity {
  readonly device: string;
  readonly inode: string;
}

/** Opens a folder, and no link to one. @throws the error of the operating system */
export async function openFolder(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

/**
 * Opens a file to read it, and no link to one. Does not wait for a writer, if it is a FIFO.
 * @throws the error of the operating system
 */
export async function openPlainFile(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

/**
 * Opens a folder below another one. No part of its path may be a link.
 * @throws the error of the operating system
 */
export async function openFolderBelow(root: FileHandle, parts: readonly string[]): Promise<FileHandle> {
  let folder = await openFolder(`${pathOf(root)}/.`);
  for (const part of parts) {
    const above = folder;
    try {
      folder = await openFolder(`${pathOf(above)}/${part}`);
    } finally {
      await above.close();
    }
  }
  return folder;
}

/**
 * Opens a file below a folder, to read it. No part of its path may be a link.
 * @throws the error of the operating system
 */
export async function openFileBelow(root: FileHandle, path: string): Promise<FileHandle> {
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  const folder = await openFolderBelow(root, parts);
  try {
    return await openPlainFile(`${pathOf(folder)}/${name}`);
  } finally {
    await folder.close();
  }
}

/** Writes a file that does not exist yet. @throws the error of the operating system */
export async function writeNewFile(path: string, text: string): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}

/** Codes of a name that is gone, or that a payload has given to a folder. */
const notRemoved = new Set(['ENOENT', 'EISDIR', 'EPERM']);

/**
 * Removes a file or a link, and never a folder: a payload could exchange what is in it while it is emptied.
 * @throws the error of the operating system
 */
export async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (!notRemoved.has(error.code ?? '')) throw error;
  });
}

/** A path that leads to an open file or folder, whatever became of its name. */
export function pathOf({ fd }: FileHandle): string {
  return `/proc/self/fd/${fd}`;
}

/** Distinguishes a folder from all others of the host. */
export async function identityOfFolder(folder: FileHandle): Promise<FolderIdentity> {
  const { dev, ino } = await folder.stat({ bigint: true });
  return { device: String(dev), inode: String(ino) };
}

/** Opens the folder that had this identity; undefined if another one is at its path. */
export async function reopenFolder(path: string, identity: FolderIdentity): Promise<FileHandle | undefined> {
  const folder = await openFolder(path).catch(() => undefined);
  if (folder === undefined) return undefined;
  const { device, inode } = await identityOfFolder(folder);
  if (device === identity.device && inode === identity.inode) return folder;
  await folder.close();
  return undefined;
}

/** Reason why a file of a payload is not read; undefined if it may be. @param device that of the folder */
export function refusalOfFile(
  file: { isFile(): boolean; readonly dev: bigint; readonly nlink: bigint },
  device: bigint,
): string | undefined {
  if (!file.isFile()) return 'it is not a regular file';
  if (file.dev !== device) return 'it is on another file system';
  return file.nlink === 1n ? undefined : 'it has several hard links';
}
