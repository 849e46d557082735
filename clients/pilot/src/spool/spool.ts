import type { Logger } from '@rhizome/log';
import { readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isPlainName, placeOf } from '../files/file-store.js';
import { isOwnFolder, makeOwnFolder } from '../files/scratch.js';
import { isRunning, nameOf, ownIdentity, processIn } from '../processes/process-identity.js';
import { AttemptSpool } from './attempt-spool.js';
import { isOf, longestKeptMs, ownerFile, recordOwner, spoolPrefix } from './owner-file.js';
import { SpoolSpace } from './spool-space.js';
import type { SpoolOwner } from './spool.types.js';

/** Options of a spool. */
export interface SpoolOptions {
  /** Scratch space of the host. */
  readonly scratch: string;
  readonly owner: SpoolOwner;
  readonly limitBytes: number;
  readonly log: Logger;
}

/**
 * Reports that core has not answered, on disk: a folder for each attempt in `spool-PID-START`, which is named
 * after the pilot's process so that the next pilot can see whether it is still in use.
 */
export class Spool {
  readonly #folder: string;
  readonly #options: SpoolOptions;
  readonly space: SpoolSpace;

  private constructor(folder: string, options: SpoolOptions) {
    this.#folder = folder;
    this.#options = options;
    this.space = new SpoolSpace(options.limitBytes);
  }

  /** Makes the spool of this process. */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { scratch, owner } = options;
    const folder = join(scratch, nameOf(spoolPrefix, ownIdentity()));
    await makeOwnFolder(folder);
    await recordOwner(folder, owner);
    return new Spool(folder, options);
  }

  /** The place for the reports of an attempt. */
  attempt(attemptId: string): AttemptSpool {
    return new AttemptSpool(join(this.#folder, placeOf(attemptId)), this.space);
  }

  /**
   * Takes the attempts that an earlier pilot of the same name left. Other pilots may do the same with other
   * folders, or remove those that nobody needs, at the same time.
   */
  async takeOver(): Promise<readonly AttemptSpool[]> {
    const taken: AttemptSpool[] = [];
    for (const folder of await this.#abandoned()) {
      for (const name of (await unlessGone(attemptsIn(folder))) ?? []) {
        const own = join(this.#folder, name);
        const isTaken = await unlessGone(rename(join(folder, name), own).then(() => true));
        if (isTaken) taken.push(new AttemptSpool(own, this.space, true));
      }
      await removeUnlessInUse(folder);
    }
    return taken;
  }

  /** Removes the spool, unless it has reports. */
  async close(): Promise<void> {
    await removeUnlessInUse(this.#folder);
  }

  /** Spools of ended pilots with the same queue, name and host. */
  async #abandoned(): Promise<readonly string[]> {
    const { scratch, owner } = this.#options;
    const found: string[] = [];
    for (const name of await readdir(scratch)) {
      const pilot = processIn(name, spoolPrefix);
      if (pilot === undefined || isRunning(pilot)) continue;
      const folder = join(scratch, name);
      // Anyone may make folders here; reports of another user must not be sent as this pilot's.
      if (!(await unlessGone(isOwnFolder(folder)))) continue;
      if (await isOf(folder, owner)) found.push(folder);
      else await this.#removeUseless(folder);
    }
    return found;
  }

  /** Removes the spool of a pilot with another name if it is empty or old. */
  async #removeUseless(folder: string): Promise<void> {
    await removeUnlessInUse(folder);
    const found = await stat(folder).catch(() => undefined);
    if (found === undefined || Date.now() - found.mtimeMs < longestKeptMs) return;
    this.#options.log.warn({ folder }, 'old reports of another pilot removed');
    await rm(folder, { recursive: true, force: true });
  }
}

async function attemptsIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && isPlainName(entry.name)).map(({ name }) => name);
}

async function removeUnlessInUse(folder: string): Promise<void> {
  const names = (await unlessGone(readdir(folder))) ?? [];
  if (names.some((name) => name !== ownerFile)) return;
  await rm(join(folder, ownerFile), { force: true });
  await unlessGone(rmdir(folder));
}

/** Undefined if another pilot, which starts at the same time, was first. */
async function unlessGone<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(code)) throw error;
    return undefined;
  }
}
