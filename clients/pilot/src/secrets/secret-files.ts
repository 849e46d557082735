/** Files with secrets of one attempt, in memory where the host allows it. */
import { constants } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isOwnFolder, removeFolder } from '../files/scratch.js';
import { isRunning, processStamp } from '../processes/process-stamp.js';

/** File system in memory. */
const memoryFolder = '/dev/shm';
const prefix = 'rhizome-secrets';

/** A folder with secrets, which only the payload of one attempt is shown. */
export class SecretFiles {
  #writing: Promise<void> = Promise.resolve();
  #isRemoved = false;

  /** @param folder the folder on the host */
  private constructor(readonly folder: string) {}

  /** Creates the folder. @param fallback where it is created if this host has no file system in memory */
  static async open(fallback: string): Promise<SecretFiles> {
    const name = `${prefix}-${processStamp()}-`;
    const isUsable = await access(memoryFolder, constants.W_OK).then(
      () => true,
      () => false,
    );
    const parent = isUsable ? memoryFolder : fallback;
    if (!isUsable) await mkdir(parent, { recursive: true, mode: 0o700 });
    return new SecretFiles(await mkdtemp(join(parent, name)));
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
    await writeFile(path, text, { mode: 0o400, flag: 'wx' });
    await rename(path, join(this.folder, name));
  }

  /** Removes the folder. */
  async remove(): Promise<void> {
    this.#isRemoved = true;
    // Its writer reports a failure; a file that is written during the removal would stay.
    await this.#writing.catch(() => undefined);
    await removeFolder(`${this.folder}.new`);
    await removeFolder(this.folder);
  }
}

/** Removes folders of pilots of this user that ended without doing so. */
export async function removeOldSecretFiles(): Promise<void> {
  const names = await readdir(memoryFolder).catch(() => []);
  for (const name of names) {
    const [, stamp] = /^rhizome-secrets-(\d+-\d+)-/.exec(name) ?? [];
    if (stamp === undefined || isRunning(stamp)) continue;
    const path = join(memoryFolder, name);
    if (!(await isOwnFolder(path).catch(() => false))) continue;
    await chmod(path, 0o700).catch(() => undefined);
    await removeFolder(path).catch(() => undefined);
  }
}
