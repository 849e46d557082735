import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '@rhizome/errors';
import { isAlive } from '../process.js';

/** A lock whose holder gave no sign of life for so long is taken over. */
const staleAfterMs = 15_000;
const signOfLifeMs = 2_000;
const lookAgainMs = 200;

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly token: string;
}

/**
 * Runs `work` while no other process runs it for the same folder. The lock is a folder (making one is atomic
 * on every file system) that its holder touches; the lock of a dead or silent holder is taken over. `onWait`
 * hears once, with the holder's process id, that somebody else is at work.
 */
export async function withFetchLock<T>(
  folder: string,
  work: () => Promise<T>,
  onWait?: (pid: number) => void,
): Promise<T> {
  const lock = join(folder, 'fetch.lock');
  const self: Holder = {
    pid: process.pid,
    host: hostname(),
    token: `${process.pid}-${process.hrtime.bigint()}`,
  };
  await mkdir(folder, { recursive: true });
  for (let isReported = false; !(await acquire(lock, self)); await delay(lookAgainMs)) {
    const holder = await holderOf(lock);
    if (holder && !isReported) onWait?.(holder.pid);
    isReported ||= holder !== undefined;
    await removeIfStale(lock, holder, self);
  }
  const sign = setInterval(() => void touch(lock), signOfLifeMs);
  try {
    return await work();
  } finally {
    clearInterval(sign);
    if ((await holderOf(lock))?.token === self.token) await rm(lock, { recursive: true, force: true });
  }
}

async function acquire(lock: string, self: Holder): Promise<boolean> {
  try {
    await mkdir(lock);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    throw new DomainError(
      'MONGOD_UNAVAILABLE',
      `the cache folder of mongod cannot be written: ${lock} (${code})`,
      {
        field: 'cacheDir',
        value: lock,
        expected: 'a folder that can be written',
      },
    );
  }
  await writeFile(join(lock, 'holder.json'), JSON.stringify(self));
  return true;
}

async function holderOf(lock: string): Promise<Holder | undefined> {
  try {
    return JSON.parse(await readFile(join(lock, 'holder.json'), 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

async function removeIfStale(lock: string, holder: Holder | undefined, self: Holder): Promise<void> {
  if (!(await isStale(lock, holder, self.host))) return;
  // A rename is atomic: of several that see the stale lock, one gets it. Its token shows that it is the stale
  // one.
  const aside = `${lock}.${self.token}`;
  try {
    await rename(lock, aside);
  } catch {
    return;
  }
  if ((await holderOf(aside))?.token !== holder?.token) await rename(aside, lock).catch(() => undefined);
  await rm(aside, { recursive: true, force: true });
}

async function isStale(lock: string, holder: Holder | undefined, host: string): Promise<boolean> {
  if (holder?.host === host && !isAlive(holder.pid)) return true;
  try {
    return Date.now() - (await stat(lock)).mtimeMs > staleAfterMs;
  } catch {
    return false;
  }
}

async function touch(lock: string): Promise<void> {
  const now = new Date();
  await utimes(lock, now, now).catch(() => undefined);
}
