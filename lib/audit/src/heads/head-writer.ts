import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChainTip, type HeadKind, lineDigest, signHead } from './head.js';
import type { AuditKeys } from './signing-key.js';

/** Name of the file with the public key, next to the heads. */
export const publicKeyFile = 'public-key.json';

/** Ending of the files with heads: one for each day and process. */
export const headFileEnding = '.heads';

/** Appends signed heads to one file for each day, in a folder outside the store. */
export class HeadWriter {
  readonly #folder: string;
  readonly #writer: string;
  readonly #keys: AuditKeys;
  #previous = '';
  #writing: Promise<void> = Promise.resolve();

  private constructor(folder: string, writer: string, keys: AuditKeys) {
    this.#folder = folder;
    this.#writer = writer;
    this.#keys = keys;
  }

  /** Opens the folder, and writes the public key next to the heads. */
  static async open(folder: string, writer: string, keys: AuditKeys): Promise<HeadWriter> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(join(folder, publicKeyFile), `${JSON.stringify(keys.publicKey)}\n`);
    return new HeadWriter(folder, writer, keys);
  }

  /** Signs and appends a head; heads are written one after the other. */
  write(kind: HeadKind, chains: readonly ChainTip[], at: Date): Promise<void> {
    const written = this.#writing.then(() => this.#append(kind, chains, at));
    this.#writing = written.catch(() => undefined);
    return written;
  }

  async #append(kind: HeadKind, chains: readonly ChainTip[], at: Date): Promise<void> {
    const head = { version: 1, kind, writer: this.#writer, at: at.toISOString(), chains } as const;
    const line = await signHead({ ...head, previous: this.#previous }, this.#keys.signing);
    const name = `${head.at.slice(0, 10)}.${this.#writer}${headFileEnding}`;
    await appendFile(join(this.#folder, name), `${line}\n`, { mode: 0o600, flush: true });
    this.#previous = lineDigest(line);
  }
}
