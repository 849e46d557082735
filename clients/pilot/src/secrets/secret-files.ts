/** Files with secrets of one attempt, in memory where the host allows it. */
import { constants } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  isRunning,
  nameOf,
  ownIdentity,
  processIn,
  type ProcessIdentity,
} from '../processes/process-identity.js';
import { isOwnFolder, removeFolder } from '../files/scratch.js';

/** File system in memory. */
const memoryFolder = '/dev/shm';
const prefix = 'rhizome-secrets';

/** A folder with secrets, which only the payload of one attempt is shown. */
export class SecretFiles {
  #writing: Promise<void> = Promise.resolve();
  #isRemoved = false;

  /** @param folder the folder on the host */
  private constructor(readonly folder: string) {}

  /**
   * Creates the folder.
   * @param fallback where it is created if this host has no file system in memory
   * @param owner process with which the files end
   */
  static async open(fallback: string, owner = ownIdentity()): Promise<SecretFiles> {
    const name = `${nameOf(prefix, owner)}-`;
    const isUsable = await access(memoryFolder, constants.W_OK).then(
      () => true,
      () => false,
    );
    const parent = isUsable ? memoryFolder : fallback;
    if (!isUsable) await mkdir(parent, { recursive: true, mode: 0o700 });
    return new SecretFiles(await mkdtemp(join(parent, name)));
  }

  /** A folder that an earlier pilot has created. */
  static reopen(folder: string): SecretFiles {
    return new SecretFiles(folder);
  }

  /** Writes or replaces a file, which only its owner may read; does nothing after the removal. */
  async write(name: string, text: string): Promise<void> {
    if (this.#isRemoved) return;
    this.#writing = this.#write(name, text);
    await this.#writing;
  }

  async #write(name: string, text: string): Promise<void> {
    // In another folder than the payload sees, and renamed, so that it never sees half of a file.
    const aside = `${this.folder}.new`;
    await mkdir(aside, { recursive: true, mode: 0o700 });
    const path = join(aside, name);
    // An earlier pilot may have been killed between the next two steps.
    await rm(path, { force: true });
    await writeFile(path, text, { mode: 0o400, flag: 'wx' });
    await rename(path, join(this.folder, name));
  }

  /** Removes the folder. */
  async remove(): Promise<void> {
    this.#isRemoved = true;
    // Its writer reports a failure; a file that is written during the removal would stay.
    await this.#writing.catch(() => undefined);
    await removeSecretFolder(this.folder);
  }
}

/** Removes a folder with secrets. */
export async function removeSecretFolder(folder: string): Promise<void> {
  await removeFolder(`${folder}.new`);
  await removeFolder(folder);
}

/**
 * Removes folders of this user that nobody needs: those of supervisors that ended without doing so, and those
 * of own supervisors that no payload uses.
 */
export async function removeOldSecretFiles(
  own: readonly ProcessIdentity[],
  used: ReadonlySet<string>,
): Promise<void> {
  const names = await readdir(memoryFolder).catch(() => []);
  for (const name of names) {
    const owner = processIn(name.slice(0, name.lastIndexOf('-')), prefix);
    if (owner === undefined) continue;
    const path = join(memoryFolder, name);
    const isOwn = own.some(({ pid, startTicks }) => pid === owner.pid && startTicks === owner.startTicks);
    if (isOwn ? used.has(path.replace(/\.new$/, '')) : isRunning(owner)) continue;
    if (!(await isOwnFolder(path).catch(() => false))) continue;
    await chmod(path, 0o700).catch(() => undefined);
    await removeFolder(path).catch(() => undefined);
  }
}
