import { existsSync } from 'node:fs';
import { lstat, mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'rhizome-tests-';
const memory = '/dev/shm';
/** Free bytes with which the data of a store goes into memory: some ten stores of tests at a time. */
const neededBytes = 6 * 2 ** 30;

/**
 * Makes a folder for the data of a store. It is in memory where there is space: a store of tests makes and
 * drops hundreds of files, and waits for the disk for each. Folders of runs that were killed are removed.
 */
export async function makeStoreFolder(): Promise<string> {
  await sweep();
  const parent = (await hasSpaceInMemory()) ? memory : tmpdir();
  return mkdtemp(join(parent, `${prefix}${process.pid}-`));
}

async function hasSpaceInMemory(): Promise<boolean> {
  if (!existsSync(memory)) return false;
  const { bavail, bsize } = await statfs(memory);
  return Math.min(bavail * bsize, freemem()) > neededBytes;
}

async function sweep(): Promise<void> {
  for (const parent of [tmpdir(), memory].filter((folder) => existsSync(folder)))
    for (const name of await readdir(parent)) {
      const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN;
      if (Number.isNaN(pid) || isAlive(pid)) continue;
      const folder = join(parent, name);
      // Another run may remove it meanwhile, and other users' folders are theirs to remove.
      const owner = await lstat(folder).catch(() => undefined);
      if (owner?.uid === process.getuid?.()) await rm(folder, { recursive: true, force: true });
    }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
