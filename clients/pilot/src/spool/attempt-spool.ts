import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readDurable, syncFolder, writeDurably } from './durable-file.js';
import type { SpoolSpace } from './spool-space.js';
import type { AttemptState, JobRecord } from './spool.types.js';

const stateFile = 'state.json';

/**
 * The folder with the reports of one attempt: a file for each, named by its number, and one for the state of
 * the attempt. The folder exists only while there are reports.
 */
export class AttemptSpool {
  readonly #folder: string;
  #isMade: boolean;

  constructor(
    folder: string,
    readonly space: SpoolSpace,
    isMade = false,
  ) {
    this.#folder = folder;
    this.#isMade = isMade;
  }

  /** The attempt. */
  get attemptId(): string {
    return basename(this.#folder);
  }

  /** True if there may be reports. */
  get isMade(): boolean {
    return this.#isMade;
  }

  /** Makes the folder, if there is none. */
  async make(state: AttemptState): Promise<void> {
    if (this.#isMade) return;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await syncFolder(dirname(this.#folder));
    await writeDurably(join(this.#folder, stateFile), JSON.stringify(state));
    this.#isMade = true;
  }

  /** Replaces the state, if there are reports. */
  async saveState(state: AttemptState): Promise<void> {
    if (this.#isMade) await writeDurably(join(this.#folder, stateFile), JSON.stringify(state));
  }

  /** @throws Error if the file is missing or damaged */
  async readState(): Promise<AttemptState> {
    return readDurable<AttemptState>(join(this.#folder, stateFile));
  }

  /**
   * Writes a report; where the disk is full, logs give their space.
   * @returns its size on disk; undefined for a log that has no space
   */
  async write(number: number, record: JobRecord): Promise<number | undefined> {
    const json = JSON.stringify(record);
    const bytes = Buffer.byteLength(json);
    if (!(await this.space.take(bytes, record.kind === 'LOG'))) return undefined;
    try {
      for (;;) {
        const isWritten = await this.#write(number, json);
        if (isWritten) return bytes;
        if (!(await this.space.leaveOutOne())) throw new Error('the disk is full');
      }
    } catch (error) {
      this.space.release(bytes);
      throw error;
    }
  }

  /** Replaces a report with a shorter one. @returns its size on disk */
  async replace(number: number, record: JobRecord, formerBytes: number): Promise<number> {
    const json = JSON.stringify(record);
    const bytes = Buffer.byteLength(json);
    await writeDurably(this.#pathOf(number), json);
    this.space.release(formerBytes - bytes);
    return bytes;
  }

  /** @throws Error if the file is missing or damaged */
  async read(number: number): Promise<JobRecord> {
    return readDurable<JobRecord>(this.#pathOf(number));
  }

  async remove(number: number, bytes: number): Promise<void> {
    await rm(this.#pathOf(number), { force: true });
    this.space.release(bytes);
  }

  /** Numbers of the reports, in order. */
  async numbers(): Promise<readonly number[]> {
    const names = await readdir(this.#folder);
    const found = names.flatMap((name) => {
      const [, digits] = /^(\d+)\.json$/.exec(name) ?? [];
      return digits === undefined ? [] : [Number(digits)];
    });
    return found.sort((one, other) => one - other);
  }

  /** Removes the folder with all that is in it. */
  async discard(): Promise<void> {
    if (!this.#isMade) return;
    this.#isMade = false;
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** False if the disk is full. */
  async #write(number: number, json: string): Promise<boolean> {
    try {
      await writeDurably(this.#pathOf(number), json);
      return true;
    } catch (error) {
      const code = String((error as NodeJS.ErrnoException).code);
      if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
      return false;
    }
  }

  #pathOf(number: number): string {
    return join(this.#folder, `${String(number).padStart(8, '0')}.json`);
  }
}
