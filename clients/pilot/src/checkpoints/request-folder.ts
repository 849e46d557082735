import { randomUUID } from 'node:crypto';
import { type FileHandle, lstat, opendir, rename } from 'node:fs/promises';
import {
  type FolderIdentity,
  identityOfFolder,
  openFolder,
  openPlainFile,
  pathOf,
  refusalOfFile,
  removeFile,
  reopenFolder,
  writeNewFile,
} from '@rhizome/storage/open-folder';

/** Answer to a request; the code is the exit code of `rhizome-job`. */
export interface RequestAnswer {
  readonly code: number;
  readonly message: string;
  /** Further lines for the program. */
  readonly lines?: readonly string[];
}

const requestSuffix = '.request';
const answerSuffix = '.answer';
const progressName = 'progress';
/** Largest request: 32 paths. */
const maxBytes = 256 * 1024;
/** Entries that are looked at: a payload may fill its folder. */
const maxEntries = 1000;
/** Time for which an answer stays: requesters read it within a second or two. */
const answerStaysMs = 60_000;

/** Changes within the resolution of the time of a file have the same time: only an old one is remembered. */
const settledMs = 1000;

function settled(mtimeNs: bigint): bigint {
  return Date.now() - Number(mtimeNs / 1_000_000n) > settledMs ? mtimeNs : -1n;
}

function dateOf(mtimeNs: bigint): Date {
  return new Date(Number(mtimeNs / 1_000_000n));
}

/**
 * The folder in which a payload leaves requests, as files, and finds answers. A shell can write to no socket,
 * and requests outlive the pilot. It is opened before the payload starts: whatever the payload puts at its
 * path, the pilot reads and writes in this folder only.
 */
export class RequestFolder {
  readonly #folder: FileHandle;
  readonly #now: () => number;
  /** Answers, also of earlier pilots, with the times at which they were first seen; the earliest first. */
  readonly #answers = new Map<string, number>();
  #found: readonly string[] = [];
  #changedNs = -1n;
  #progressNs = -1n;

  private constructor(folder: FileHandle, now = () => performance.now()) {
    this.#folder = folder;
    this.#now = now;
  }

  /**
   * Opens the folder that the pilot has just made.
   * @param now a monotonic clock in milliseconds
   */
  static async open(path: string, now?: () => number): Promise<RequestFolder> {
    return new RequestFolder(await openFolder(path), now);
  }

  /** Opens the folder of an earlier pilot; undefined if the payload has replaced it. */
  static async reopen(path: string, identity: FolderIdentity): Promise<RequestFolder | undefined> {
    const folder = await reopenFolder(path, identity);
    return folder && new RequestFolder(folder);
  }

  async identity(): Promise<FolderIdentity> {
    return identityOfFolder(this.#folder);
  }

  async close(): Promise<void> {
    await this.#folder.close();
  }

  /**
   * Names of requests that may be complete. Costs one system call while nothing changes.
   * @param isKnown true for a request that needs no further check; by default none
   */
  async requests(isKnown: (name: string) => boolean = () => false): Promise<readonly string[]> {
    await this.#removeOldAnswers();
    const { mtimeNs } = await this.#folder.stat({ bigint: true });
    if (mtimeNs === this.#changedNs && this.#found.every(isKnown)) return [];
    const found: string[] = [];
    let seen = 0;
    for await (const { name } of await opendir(pathOf(this.#folder))) {
      if (name.endsWith(requestSuffix)) found.push(name.slice(0, -requestSuffix.length));
      else if (name.endsWith(answerSuffix)) this.#noteAnswer(name.slice(0, -answerSuffix.length));
      seen += 1;
      if (seen >= maxEntries) break;
    }
    this.#changedNs = settled(mtimeNs);
    this.#found = found.sort();
    return this.#found;
  }

  /** Text of a request, and the time of its last change; undefined if it cannot be read. */
  async read(name: string): Promise<{ readonly text: string; readonly changedAt: Date } | undefined> {
    const found = await this.#read(`${name}${requestSuffix}`);
    return found && { text: found.text, changedAt: dateOf(found.mtimeNs) };
  }

  /** Answers a request, and removes it. */
  async answer(name: string, { code, message, lines = [] }: RequestAnswer): Promise<void> {
    const aside = this.#path(`${randomUUID()}.new`);
    const all = [String(code), ...[message, ...lines].map((line) => line.replaceAll(/[\n\r\0]+/g, ' '))];
    try {
      await writeNewFile(aside, `${all.join('\n')}\n`);
      await rename(aside, this.#path(`${name}${answerSuffix}`));
    } catch (error) {
      await removeFile(aside).catch(() => undefined);
      throw error;
    }
    this.#answers.delete(name);
    this.#noteAnswer(name);
    await this.discard(name);
  }

  /** Removes a request. */
  async discard(name: string): Promise<void> {
    await removeFile(this.#path(`${name}${requestSuffix}`));
  }

  /** True if there is a request of this name, whatever it is. */
  async has(name: string): Promise<boolean> {
    return lstat(this.#path(`${name}${requestSuffix}`)).then(
      () => true,
      () => false,
    );
  }

  /** Removes an answer that was read. */
  async removeAnswer(name: string): Promise<void> {
    this.#answers.delete(name);
    await removeFile(this.#path(`${name}${answerSuffix}`));
  }

  /** Text and time of the latest report of progress; undefined if it is known from an earlier call. */
  async progress(): Promise<{ readonly text: string; readonly at: Date } | undefined> {
    const found = await this.#read(progressName, this.#progressNs);
    if (found === undefined || !found.text.endsWith('\n')) return undefined;
    this.#progressNs = settled(found.mtimeNs);
    return { text: found.text, at: dateOf(found.mtimeNs) };
  }

  #noteAnswer(name: string): void {
    if (!this.#answers.has(name) && this.#answers.size < maxEntries) this.#answers.set(name, this.#now());
  }

  async #removeOldAnswers(): Promise<void> {
    for (const [name, at] of this.#answers) {
      if (this.#now() - at < answerStaysMs) return;
      await this.removeAnswer(name);
    }
  }

  /** @param knownNs time of change of a content that is known: it is not read again */
  async #read(name: string, knownNs = -1n): Promise<{ text: string; mtimeNs: bigint } | undefined> {
    const file = await openPlainFile(this.#path(name)).catch(() => undefined);
    if (file === undefined) return undefined;
    try {
      const found = await file.stat({ bigint: true });
      const { dev } = await this.#folder.stat({ bigint: true });
      if (found.mtimeNs === knownNs || refusalOfFile(found, dev) !== undefined || found.size > maxBytes)
        return undefined;
      const buffer = Buffer.alloc(Number(found.size));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
      return { text: buffer.toString('utf8', 0, bytesRead), mtimeNs: found.mtimeNs };
    } finally {
      await file.close();
    }
  }

  #path(name: string): string {
    return `${pathOf(this.#folder)}/${name}`;
  }
}
