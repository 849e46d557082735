import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttemptFolders } from '../files/scratch.js';
import type { ProcessIdentity } from '../processes/process-identity.js';
import type { AttemptToken } from './attempt-token.js';
import type { DeliveredSecret } from './delivered-secret.js';
import { type Masked, maskedForms, MaskedTexts } from './output-mask.js';
import { SecretFiles } from './secret-files.js';

/** Hides texts in the log of a payload that runs. */
export type HideTexts = (texts: Masked) => Promise<void>;

/** Where secrets of an attempt are kept and hidden. */
export interface SecretHost {
  /** Process with which the files end. */
  readonly owner: ProcessIdentity;
  readonly hide: HideTexts;
}

/** Name of the file with the token of the attempt. */
const tokenFile = 'rhizome-job-token';
/** Name of the file with the token for a storage. */
const storageFile = (name: string): string => `rhizome-storage-token-${name}`;

/** Secrets of one attempt, and its token, ready for its payload. */
export class AttemptSecrets {
  readonly #files: SecretFiles;
  readonly #inside: string;
  readonly #masked: MaskedTexts;
  readonly #secrets: readonly DeliveredSecret[];
  #token: AttemptToken | undefined;
  readonly #removal = new AbortController();

  readonly #hide: HideTexts;

  private constructor(
    files: SecretFiles,
    inside: string,
    secrets: readonly DeliveredSecret[],
    hide: HideTexts,
  ) {
    this.#hide = hide;
    this.#files = files;
    this.#inside = inside;
    this.#secrets = secrets;
    this.#masked = new MaskedTexts(maskedForms(secrets.map(({ value }) => value)));
  }

  /** Writes the files. */
  static async open(
    folders: AttemptFolders,
    secrets: readonly DeliveredSecret[],
    { owner, hide }: SecretHost,
  ): Promise<AttemptSecrets> {
    const files = await SecretFiles.open(folders.private, owner);
    try {
      // Where the sandbox or the container mounts them.
      await mkdir(folders.secrets, { recursive: true, mode: 0o700 });
      for (const { as, target, value } of secrets) if (as === 'FILE') await files.write(target, value);
      return new AttemptSecrets(files, folders.secrets, secrets, hide);
    } catch (error) {
      await files.remove();
      throw error;
    }
  }

  /** Secrets that an earlier pilot has given to a payload, which still runs. */
  static reopen(folder: string, { secrets: inside }: AttemptFolders, hide: HideTexts): AttemptSecrets {
    return new AttemptSecrets(SecretFiles.reopen(folder), inside, [], hide);
  }

  /** Folder of the host with the files. */
  get folder(): string {
    return this.#files.folder;
  }

  /** Variables of the payload. */
  get variables(): Readonly<Record<string, string>> {
    const variables = this.#secrets.filter((one) => one.as === 'VARIABLE');
    return {
      ...Object.fromEntries(variables.map(({ target, value }) => [target, value])),
      ...(this.#token && this.#tokenVariables(this.#token)),
    };
  }

  #tokenVariables({ token, storages }: AttemptToken): Readonly<Record<string, string>> {
    const path = join(this.#inside, tokenFile);
    const files = storages.map(({ name }) => [
      `RHIZOME_STORAGE_TOKEN_FILE_${name.toUpperCase().replaceAll('-', '_')}`,
      join(this.#inside, storageFile(name)),
    ]);
    return {
      ...{ RHIZOME_JOB_TOKEN: token, RHIZOME_JOB_TOKEN_FILE: path, BEARER_TOKEN_FILE: path },
      ...(Object.fromEntries(files) as Record<string, string>),
    };
  }

  /** The token of the attempt; undefined without one, or until this pilot has it. */
  get token(): string | undefined {
    return this.#token?.token;
  }

  /** Texts that the log must not show. */
  get masked(): Masked {
    return this.#masked.all;
  }

  /** Replaces the tokens of the attempt; earlier ones stay masked until they have ended. */
  async setToken(next: AttemptToken): Promise<void> {
    this.#token = next;
    const tokens = [next.token, ...next.storages.map(({ token }) => token)];
    const parts = tokens.flatMap((token) => {
      const [header = '', claims = '', signature = ''] = token.split('.');
      return [token, `${header}.${claims}`, signature];
    });
    const added = maskedForms(parts);
    this.#masked.addToken(added);
    // Before the payload can read it.
    await this.#hide(added);
    await this.#files.write(tokenFile, next.token);
    for (const { name, token } of next.storages) await this.#files.write(storageFile(name), token);
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
