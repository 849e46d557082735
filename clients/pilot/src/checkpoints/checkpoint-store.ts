import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { forEachConcurrently } from '@rhizome/retry';
import { AttemptError } from '../payload/attempt-error.js';
import { checksumFile } from '../files/checksum.js';
import type { FileStore } from '../files/file-store.types.js';
import { isPlainName, placeOf } from '../files/file-store.js';
import { isNoSuchFile } from '../files/http-store.js';
import { pathOf } from '@rhizome/storage/open-folder';
import { removeFolder } from '../files/scratch.js';
import type { StoredFile } from '../files/stored-file.types.js';
import type { Checkpoint } from './checkpoint.types.js';
import { FileRefused, type PayloadFiles } from './payload-files.js';

/** Most files of a checkpoint. */
const maxFiles = 32;
const concurrentTransfers = 4;
const bytesPerMiB = 1024 ** 2;

/** A request for a checkpoint that is refused, with the reason. */
export class CheckpointRefused extends Error {}

/** Checkpoint of one attempt, numbered from 1. */
export interface CheckpointPlace {
  readonly jobId: string;
  readonly attemptId: string;
  readonly number: number;
}

/**
 * Stores files of a payload under keys of the attempt. They stay until they are removed.
 * @param maxMiB largest size of all files
 * @throws CheckpointRefused, FileRefused; Error of the store
 */
export async function storeFiles(
  paths: readonly string[],
  source: PayloadFiles,
  { jobId, attemptId, number }: CheckpointPlace,
  { store, maxMiB }: { readonly store: FileStore; readonly maxMiB: number },
  signal: AbortSignal,
): Promise<readonly StoredFile[]> {
  assertNames(paths);
  await assertSize(paths, source, maxMiB);
  const stored: StoredFile[] = [];
  await forEachConcurrently([...paths.entries()], concurrentTransfers, async ([index, path]) => {
    const name = basename(path);
    const location = placeOf(jobId, attemptId, `checkpoint-${number}`, name);
    const digest = await source.withFile(path, async (file) => {
      const before = await file.stat({ bigint: true });
      const found = await checksumFile(pathOf(file), signal);
      await store.put(pathOf(file), location, signal);
      const after = await file.stat({ bigint: true });
      if (before.mtimeNs !== after.mtimeNs || before.size !== after.size)
        throw new FileRefused(path, 'it was changed while it was stored');
      return found;
    });
    stored[index] = { name, location, ...digest };
  });
  return stored;
}

function assertNames(paths: readonly string[]): void {
  if (paths.length === 0 || paths.length > maxFiles)
    throw new CheckpointRefused(`${paths.length} files are given; must be 1 to ${maxFiles}`);
  const names = new Set<string>();
  for (const path of paths) {
    const name = basename(path);
    if (!isPlainName(name) || name.length > 255) throw new FileRefused(path, 'its name is not valid');
    if (names.has(name))
      throw new CheckpointRefused(`two files are named ${JSON.stringify(name)}; names must be different`);
    names.add(name);
  }
}

/** A file with holes is larger than the space that it takes, and the store may keep it in full. */
async function assertSize(paths: readonly string[], source: PayloadFiles, maxMiB: number): Promise<void> {
  let bytes = 0;
  for (const path of paths)
    bytes += await source.withFile(path, async (file) => Number((await file.stat()).size));
  if (bytes > maxMiB * bytesPerMiB)
    throw new CheckpointRefused(
      `the files have ${Math.ceil(bytes / bytesPerMiB)} MiB together; must be at most ${maxMiB} MiB, the scratch space of the job`,
    );
}

/**
 * Fetches a checkpoint into a folder, which is made.
 * @returns false if a file is missing in the store, or differs from what was stored; nothing is left then
 * @throws AttemptError DATA CHECKPOINT_UNAVAILABLE if the store cannot be read now
 */
export async function fetchCheckpoint(
  { files }: Checkpoint,
  folder: string,
  store: FileStore,
  signal: AbortSignal,
): Promise<boolean> {
  await removeFolder(folder);
  await mkdir(folder);
  let isGood = true;
  await forEachConcurrently(files, concurrentTransfers, async (file) => {
    if (!isGood || !isPlainName(file.name)) return;
    const target = join(folder, file.name);
    try {
      await store.get(file.location, target, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isNoSuchFile(error)) throw unavailable(file, error);
      isGood = false;
      return;
    }
    const found = await checksumFile(target, signal);
    if (found.sha256 !== file.sha256 || found.sizeBytes !== file.sizeBytes) isGood = false;
  });
  if (!isGood) await removeFolder(folder);
  return isGood;
}

function unavailable({ name, location }: StoredFile, error: unknown): AttemptError {
  const reason = error instanceof Error ? error.message : String(error);
  const message = `Checkpoint file ${JSON.stringify(name)} could not be fetched from ${location}: ${reason}`;
  return new AttemptError('DATA', 'CHECKPOINT_UNAVAILABLE', message, true, { cause: error });
}

/** Removes the files of checkpoints from the store. @throws Error of the store */
export async function removeCheckpoints(
  checkpoints: readonly Checkpoint[],
  store: FileStore,
  signal: AbortSignal,
): Promise<void> {
  const files = checkpoints.flatMap((checkpoint) => checkpoint.files);
  await forEachConcurrently(files, concurrentTransfers, async ({ location }) =>
    store.remove(location, signal),
  );
}
