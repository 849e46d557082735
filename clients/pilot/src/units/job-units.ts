import type { Logger } from '@rhizome/log';
import { mkdir, type FileHandle } from 'node:fs/promises';
import { RequestFolder } from '../checkpoints/request-folder.js';
import { openFolder, pathOf, reopenFolder } from '../files/open-folder.js';
import type { AttemptFolders } from '../files/scratch.js';
import type { UnitCalls } from '../protocol/unit-calls.js';
import type { AttemptRecord } from '../supervisor/attempt-record.js';
import { BatchFiles } from './batch-files.js';
import { UnitBatches } from './unit-batches.js';
import { unitSocketName } from './unit-places.js';
import { UnitSocket } from './unit-socket.js';

/** Parts of an attempt whose payload works on units. */
export interface JobUnitsParts {
  readonly folders: AttemptFolders;
  readonly record: AttemptRecord;
  /** Calls by the token of the attempt. */
  readonly calls: UnitCalls;
  readonly log: Logger;
}

interface Opened {
  readonly requests: RequestFolder;
  readonly files: BatchFiles;
  readonly socket: UnitSocket;
}

/** Work units of one attempt: the socket and the requests of its payload, served by this pilot. */
export class JobUnits {
  readonly #parts: JobUnitsParts;
  readonly #folder: FileHandle;
  readonly #ended = new AbortController();
  readonly #opened: Opened;
  readonly #serving: Promise<void>;
  #closing: Promise<void> | undefined;

  private constructor(parts: JobUnitsParts, folder: FileHandle, opened: Opened) {
    this.#parts = parts;
    this.#folder = folder;
    this.#opened = opened;
    const { calls, log } = parts;
    this.#serving = new UnitBatches({ ...opened, calls, log }).serve(this.#ended.signal);
  }

  /** Makes the folder and serves it, before the payload starts. */
  static async begin(parts: JobUnitsParts): Promise<JobUnits> {
    const { folders, record } = parts;
    await mkdir(folders.units, { mode: 0o700 });
    const requests = await RequestFolder.open(folders.units);
    await record.saveUnits(await requests.identity());
    return JobUnits.#open(parts, requests, await openFolder(folders.units));
  }

  /**
   * Serves the payload of an earlier pilot; undefined if it is not recorded, or the payload has changed its
   * folder so that it cannot be served. Never rejects.
   */
  static async resume(parts: JobUnitsParts): Promise<JobUnits | undefined> {
    const { folders, record, calls, log } = parts;
    const identity = await record.units();
    const folder = identity && (await reopenFolder(folders.units, identity));
    try {
      const requests = folder && (await RequestFolder.reopen(folders.units, identity));
      if (folder && requests) return await JobUnits.#open(parts, requests, folder);
    } catch (error) {
      log.warn({ err: error }, 'work units of the attempt not served');
    }
    await folder?.close();
    await calls.close();
    return undefined;
  }

  static async #open(parts: JobUnitsParts, requests: RequestFolder, folder: FileHandle): Promise<JobUnits> {
    const files = await BatchFiles.open(folder);
    // The address of a socket has at most 107 bytes, and the path of the folder may be longer.
    const socket = await UnitSocket.listen(`${pathOf(folder)}/${unitSocketName}`, parts.calls);
    return new JobUnits(parts, folder, { requests, files, socket });
  }

  /** Ends the socket and all requests. May be called twice; never rejects. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#ended.abort(new Error('the attempt has ended'));
    const { requests, files, socket } = this.#opened;
    try {
      await socket.close();
      await this.#serving;
      await Promise.all([requests.close(), files.close(), this.#folder.close(), this.#parts.calls.close()]);
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'work units of the attempt not closed');
    }
  }
}
