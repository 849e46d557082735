/** Downloads of single files by signed addresses: continued, verified, and never in place of another file. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { sleep } from '@rhizome/retry';
import { isStorageError, problemOfPath, readSigned, StorageError } from '@rhizome/storage';

/** A file to download. */
export interface FileToFetch {
  /** Path below the target folder, as the server names it. */
  readonly path: string;
  readonly sizeBytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** Options of {@link download}. */
export interface DownloadOptions {
  /** Folder for the files. */
  readonly folder: string;
  /** Replaces a file that is there. */
  readonly isForced: boolean;
  readonly signal: AbortSignal;
  /** An address of the file. @param isRefused asks for another one: the storage has refused the last one */
  readonly address: (isRefused: boolean) => Promise<string>;
  readonly onBytes?: ((count: number) => void) | undefined;
  /** Pause before the first repetition, in milliseconds. */
  readonly pauseMs?: number;
}

/** A file is there that the download would replace, or its name leads elsewhere. */
export class NotWritten extends Error {}

const mostTries = 5;

/**
 * Downloads a file. What an earlier attempt has left in a file `.NAME.….part` is not fetched again. Commands
 * at the same time write into files of their own.
 * @returns true if it was fetched, false if the same file is there already
 * @throws NotWritten; StorageError; the signal's reason; an error of the disk
 */
export async function download(file: FileToFetch, options: DownloadOptions): Promise<boolean> {
  const { folder, isForced, signal } = options;
  const place = await placeOf(file.path, folder);
  const there = await lstat(place).catch(() => undefined);
  if (there && (await isSameFile(place, file, signal))) return false;
  if (there?.isDirectory()) throw new NotWritten('a folder with this name exists');
  if (there && !isForced) throw new NotWritten('another file with this name exists; --force replaces it');
  const id = createHash('sha256').update(`${file.path}\n${file.sha256}`).digest('hex').slice(0, 12);
  const stem = join(dirname(place), `.${basename(place).slice(0, 50)}.${id}`);
  const part = await ownPart(stem);
  let isDone = false;
  try {
    await fetchPart(part, file, options);
    const isNamed = await giveName(part, place, isForced);
    if (!isNamed && !(await isSameFile(place, file, signal)))
      throw new NotWritten('another file with this name has appeared; --force replaces it');
    await rm(part, { force: true });
    isDone = true;
    return isNamed;
  } finally {
    // The next command continues it.
    if (!isDone) await rename(part, `${stem}.part`).catch(() => undefined);
  }
}

/** @returns false if a file has the name already */
async function giveName(part: string, place: string, isForced: boolean): Promise<boolean> {
  if (isForced) {
    await rename(part, place);
    return true;
  }
  try {
    await link(part, place);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

/** A name that only this process has: the host with the process. */
const owner = `${createHash('sha256').update(hostname()).digest('hex').slice(0, 8)}-${process.pid}`;

/**
 * Path of the file into which this process downloads. What a command that has ended left is renamed to it;
 * a rename succeeds for one process only.
 */
async function ownPart(stem: string): Promise<string> {
  const own = `${stem}.${owner}.part`;
  const beginning = `${basename(stem)}.`;
  for (const name of await readdir(dirname(stem)))
    if (name.startsWith(beginning) && name.endsWith('.part') && hasEnded(name.slice(beginning.length)))
      try {
        await rename(join(dirname(stem), name), own);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
  return own;
}

/** @param end `part`, or `HOST-PROCESS.part` */
function hasEnded(end: string): boolean {
  if (end === 'part') return true;
  const [host, pid] = end.slice(0, -'.part'.length).split('-');
  if (host !== owner.split('-')[0] || !/^[1-9]\d*$/.test(pid ?? '')) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** The place of a file below the folder; its parents are made, and none of them is a link. */
async function placeOf(path: string, folder: string): Promise<string> {
  const problem = problemOfPath(path);
  if (problem !== undefined) throw new NotWritten(`the name ${problem}`);
  await mkdir(folder, { recursive: true });
  let parent = folder;
  for (const name of path.split('/').slice(0, -1)) {
    parent = join(parent, name);
    await mkdir(parent).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
    if (!(await lstat(parent)).isDirectory()) throw new NotWritten(`${parent} is no folder`);
  }
  return join(folder, path);
}

async function isSameFile(
  place: string,
  { sizeBytes, sha256 }: FileToFetch,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await lstat(place);
  if (!found.isFile() || found.size !== sizeBytes) return false;
  const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return (await hashOf(file, signal)).digest('hex') === sha256;
  } finally {
    await file.close();
  }
}

async function fetchPart(part: string, file: FileToFetch, options: DownloadOptions): Promise<void> {
  const { signal, onBytes, pauseMs = 500 } = options;
  let received = 0;
  const counting = {
    ...options,
    onBytes(count: number) {
      received += count;
      onBytes?.(count);
    },
  };
  const handle = await open(part, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
  let isRefused = false;
  let wasCorrupt = false;
  try {
    for (let tries = 1; ; tries += 1) {
      received = 0;
      try {
        return await fetchRest(handle, file, counting, isRefused);
      } catch (error) {
        signal.throwIfAborted();
        // A transfer that advances is continued as often as it breaks off.
        if (received > 0) tries = 1;
        if (!isStorageError(error)) throw error;
        const isRepeated =
          tries < mostTries &&
          (error.kind === 'SLOW' ||
            (error.kind === 'DENIED' && !isRefused) ||
            (['CORRUPT', 'INVALID'].includes(error.kind) && !wasCorrupt));
        if (['CORRUPT', 'INVALID'].includes(error.kind)) {
          await handle.truncate(0);
          wasCorrupt = true;
        }
        if (!isRepeated) throw error;
        isRefused = error.kind === 'DENIED';
        if (error.kind === 'SLOW') await sleep(pauseMs * 2 ** tries, signal);
        signal.throwIfAborted();
      }
    }
  } catch (error) {
    // What is wrong is not continued.
    if (isStorageError(error, 'CORRUPT', 'GONE')) await rm(part, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

async function fetchRest(
  handle: FileHandle,
  { sizeBytes, sha256 }: FileToFetch,
  { signal, address, onBytes }: DownloadOptions,
  isRefused: boolean,
): Promise<void> {
  let { size } = await handle.stat();
  if (size > sizeBytes) {
    await handle.truncate(0);
    size = 0;
  }
  const hash = await hashOf(handle, signal);
  if (size < sizeBytes) {
    const url = await address(isRefused);
    const signed = { method: 'GET' as const, url, headers: {}, expiresAt: new Date(Date.now() + 60_000) };
    const { body, ...found } = await readSigned(signed, {
      ...(size > 0 && { range: { start: size } }),
      signal,
    });
    try {
      if (found.sizeBytes !== sizeBytes)
        throw new StorageError('CORRUPT', `The file has ${found.sizeBytes} bytes instead of ${sizeBytes}`);
      for await (const bytes of body) {
        const piece = bytes as Buffer;
        for (let done = 0; done < piece.length;)
          done += (await handle.write(piece, done, piece.length - done, size + done)).bytesWritten;
        hash.update(piece);
        size += piece.length;
        onBytes?.(piece.length);
        if (size > sizeBytes) throw new StorageError('CORRUPT', `The file has more than ${sizeBytes} bytes`);
      }
    } finally {
      body.destroy();
    }
    if (size < sizeBytes) throw new StorageError('SLOW', 'The transfer ended early');
  }
  const digest = hash.digest('hex');
  if (digest !== sha256)
    throw new StorageError('CORRUPT', `The file has the SHA-256 ${digest} instead of ${sha256}`);
}

/** Hash of what a file has. */
async function hashOf(handle: FileHandle, signal: AbortSignal): Promise<ReturnType<typeof createHash>> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1024 ** 2);
  for (let at = 0; ;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    signal.throwIfAborted();
    if (bytesRead === 0) return hash;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
