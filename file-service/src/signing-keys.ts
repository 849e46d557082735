import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { type PrivateFile, readPrivateFile } from '@rhizome/authz';
import type { Logger } from '@rhizome/log';
import { parseSigningKeys } from '@rhizome/storage';

/** Interval at which the file is checked for changes, in milliseconds. */
const lookMs = 5000;

/** The keys of signed addresses, which may be replaced while the service runs. */
export class SigningKeyFile {
  readonly #file: PrivateFile;
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #keys: readonly Uint8Array[];
  /** Stamp of the file that has them. */
  #stamp: string;

  private constructor(file: PrivateFile, log: Logger, keys: readonly Uint8Array[], stamp: string) {
    this.#file = file;
    this.#log = log;
    this.#keys = keys;
    this.#stamp = stamp;
    this.#timer = setInterval(() => void this.look(), lookMs).unref();
  }

  /**
   * Reads the keys; the file is created if there is none.
   * @throws DomainError CONFIG_INVALID if others may read it @throws StorageError INVALID for other content
   */
  static async open(path: string, log: Logger): Promise<SigningKeyFile> {
    const create = (): string => `${randomBytes(32).toString('base64')}\n`;
    const file = { path, field: 'keyFile', expected: 'keys of 32 bytes in base64, one a line', create };
    // First, so that a file that is replaced meanwhile is read again.
    const found = await stampOf(path).catch(() => undefined);
    const keys = parseSigningKeys(await readPrivateFile(file));
    return new SigningKeyFile(file, log, keys, found ?? (await stampOf(path)));
  }

  get keys(): readonly Uint8Array[] {
    return this.#keys;
  }

  /** Reads the keys again if the file changed; while it cannot be used, the old ones stay. */
  async look(): Promise<void> {
    try {
      const stamp = await stampOf(this.#file.path);
      if (stamp === this.#stamp) return;
      this.#keys = parseSigningKeys(await readPrivateFile(this.#file));
      this.#stamp = stamp;
      this.#log.info({ count: this.#keys.length }, 'signing keys replaced');
    } catch (error) {
      this.#log.warn({ err: error, file: this.#file.path }, 'signing keys could not be read');
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

/** Differs for a file that was replaced or written. */
async function stampOf(path: string): Promise<string> {
  const { ino, mtimeMs } = await stat(path);
  return `${ino}:${mtimeMs}`;
}
