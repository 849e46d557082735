import { mkdir } from 'node:fs/promises';
import type { AttemptFolders } from '../files/scratch.js';
import type { DeliveredSecret } from './delivered-secret.js';
import { type Masked, maskedForms } from './output-mask.js';
import { SecretFiles } from './secret-files.js';

/** Secrets of one attempt, ready for its payload. */
export class AttemptSecrets {
  readonly #files: SecretFiles;
  /** Variables of the payload. */
  readonly variables: Readonly<Record<string, string>>;
  /** Texts that the log must not show. */
  readonly masked: Masked;

  private constructor(files: SecretFiles, secrets: readonly DeliveredSecret[]) {
    this.#files = files;
    const variables = secrets.filter((one) => one.as === 'VARIABLE');
    this.variables = Object.fromEntries(variables.map(({ target, value }) => [target, value]));
    this.masked = maskedForms(secrets.map(({ value }) => value));
  }

  /** Writes the files. */
  static async open(folders: AttemptFolders, secrets: readonly DeliveredSecret[]): Promise<AttemptSecrets> {
    const files = await SecretFiles.open(folders.private);
    try {
      // Where the sandbox or the container mounts them.
      await mkdir(folders.secrets, { recursive: true, mode: 0o700 });
      for (const { as, target, value } of secrets) if (as === 'FILE') await files.write(target, value);
      return new AttemptSecrets(files, secrets);
    } catch (error) {
      await files.remove();
      throw error;
    }
  }

  /** Folder of the host with the files. */
  get folder(): string {
    return this.#files.folder;
  }

  /** Removes the files. */
  remove(): Promise<void> {
    return this.#files.remove();
  }
}
