import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttemptFolders } from '../files/scratch.js';
import type { DeliveredSecret } from './delivered-secret.js';
import { type Masked, maskedForms } from './output-mask.js';
import { SecretFiles } from './secret-files.js';

/** Name of the file with the token of the attempt. */
const tokenFile = 'rhizome-job-token';

/** Secrets of one attempt, and its token, ready for its payload. */
export class AttemptSecrets {
  readonly #files: SecretFiles;
  readonly #inside: string;
  readonly #values: readonly string[];
  readonly #secrets: readonly DeliveredSecret[];
  #token: string | undefined;
  #masked: Masked;
  readonly #removal = new AbortController();

  private constructor(files: SecretFiles, inside: string, secrets: readonly DeliveredSecret[]) {
    this.#files = files;
    this.#inside = inside;
    this.#secrets = secrets;
    this.#values = secrets.map(({ value }) => value);
    this.#masked = maskedForms(this.#values);
  }

  /** Writes the files. */
  static async open(folders: AttemptFolders, secrets: readonly DeliveredSecret[]): Promise<AttemptSecrets> {
    const files = await SecretFiles.open(folders.private);
    try {
      // Where the sandbox or the container mounts them.
      await mkdir(folders.secrets, { recursive: true, mode: 0o700 });
      for (const { as, target, value } of secrets) if (as === 'FILE') await files.write(target, value);
      return new AttemptSecrets(files, folders.secrets, secrets);
    } catch (error) {
      await files.remove();
      throw error;
    }
  }

  /** Folder of the host with the files. */
  get folder(): string {
    return this.#files.folder;
  }

  /** Variables of the payload. */
  get variables(): Readonly<Record<string, string>> {
    const variables = this.#secrets.filter((one) => one.as === 'VARIABLE');
    const path = join(this.#inside, tokenFile);
    return {
      ...Object.fromEntries(variables.map(({ target, value }) => [target, value])),
      ...(this.#token === undefined
        ? {}
        : { RHIZOME_JOB_TOKEN: this.#token, RHIZOME_JOB_TOKEN_FILE: path, BEARER_TOKEN_FILE: path }),
    };
  }

  /** Texts that the log must not show. */
  readonly masked = (): Masked => this.#masked;

  /** Replaces the token of the attempt; earlier ones stay masked. */
  async setToken(token: string): Promise<void> {
    this.#token = token;
    const [header = '', claims = '', signature = ''] = token.split('.');
    const parts = [token, `${header}.${claims}`, signature];
    this.#masked = [...maskedForms(parts), ...this.#masked].sort((a, b) => b.length - a.length);
    await this.#files.write(tokenFile, token);
  }

  /** Aborted when the files are removed. */
  get removed(): AbortSignal {
    return this.#removal.signal;
  }

  /** Removes the files. */
  remove(): Promise<void> {
    this.#removal.abort();
    return this.#files.remove();
  }
}
