import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, opendir, rename, rm } from 'node:fs/promises';
import {
  type FolderIdentity,
  identityOfFolder,
  openFolder,
  openPlainFile,
  pathOf,
  refusalOfFile,
  reopenFolder,
} from '../files/open-folder.js';

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
/** Answers that stay: requesters read them within a second or two. */
const maxAnswers = 64;

/** Changes within the resolution of the time of a file have the same time: only an old one is remembered. */
const settledMs = 1000;

function settled(mtimeNs: bigint): bigint {
  return Date.now() - Number(mtimeNs / 1_000_000n) > settledMs ? mtimeNs : -1n;
}

/**
 * The folder in which a payload leaves requests, as files, and finds answers. A shell can write to no socket,
 * and requests outlive the pilot. It is opened before the payload starts: whatever the payload puts at its
 * path, the pilot reads and writes in this folder only.
 */
export class RequestFolder {
  readonly #folder: FileHandle;
  readonly #answers: string[] = [];
  #changedNs = -1n;
  #isIncomplete = false;
  #progressNs = -1n;

  private constructor(folder: FileHandle) {
    this.#folder = folder;
  }

  /** Opens the folder that the pilot has just made. */
  static async open(path: string): Promise<RequestFolder> {
    return new RequestFolder(await openFolder(path));
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

  /** Names of requests that may be complete. Costs one system call while nothing changes. */
  async requests(): Promise<readonly string[]> {
    const { mtimeNs } = await this.#folder.stat({ bigint: true });
    if (mtimeNs === this.#changedNs && !this.#isIncomplete) return [];
    const found: string[] = [];
    let seen = 0;
    for await (const { name } of await opendir(pathOf(this.#folder))) {
      if (name.endsWith(requestSuffix)) found.push(name.slice(0, -requestSuffix.length));
      seen += 1;
      if (seen >= maxEntries) break;
    }
    this.#changedNs = settled(mtimeNs);
    this.#isIncomplete = found.length > 0;
    return found.sort();
  }

  /** Text of a request; undefined if it cannot be read. */
  async read(name: string): Promise<string | undefined> {
    return (await this.#read(`${name}${requestSuffix}`))?.text;
  }

  /** Answers a request, and removes it. */
  async answer(name: string, { code, message, lines = [] }: RequestAnswer): Promise<void> {
    const aside = this.#path(`${randomUUID()}.new`);
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const file = await open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      const all = [String(code), ...[message, ...lines].map((line) => line.replaceAll(/\s+/g, ' '))];
      await file.writeFile(`${all.join('\n')}\n`);
    } finally {
      await file.close();
    }
    await rename(aside, this.#path(`${name}${answerSuffix}`));
    await this.discard(name);
    this.#answers.push(name);
    const old = this.#answers.length > maxAnswers ? this.#answers.shift() : undefined;
    if (old !== undefined) await rm(this.#path(`${old}${answerSuffix}`), { force: true });
  }

  /** Removes a request. */
  async discard(name: string): Promise<void> {
    await rm(this.#path(`${name}${requestSuffix}`), { force: true, recursive: true });
  }

  /** Text and time of the latest report of progress; undefined if it is known from an earlier call. */
  async progress(): Promise<{ readonly text: string; readonly at: Date } | undefined> {
    const found = await this.#read(progressName, this.#progressNs);
    if (found === undefined || !found.text.endsWith('\n')) return undefined;
    this.#progressNs = settled(found.mtimeNs);
    return { text: found.text, at: new Date(Number(found.mtimeNs / 1_000_000n)) };
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
