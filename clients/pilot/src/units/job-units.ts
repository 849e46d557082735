import type { Logger } from '@rhizome/log';
import { mkdir, type FileHandle } from 'node:fs/promises';
import { RequestFolder } from '../checkpoints/request-folder.js';
import { openFolder, pathOf, reopenFolder } from '@rhizome/storage/open-folder';
import type { AttemptFolders } from '../files/scratch.js';
import type { UnitCalls } from '../protocol/unit-calls.js';
import type { AttemptRecord } from '../supervisor/attempt-record.js';
import { BatchFiles } from './batch-files.js';
import { UnitBatches } from './unit-batches.js';
import { OpenRequests } from './open-requests.js';
import { UnitService } from './unit-service.js';
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
  readonly service: UnitService;
  /** Undefined where the host takes no socket, or the payload has put something in its place. */
  readonly socket: UnitSocket | undefined;
}

/** Leases of a payload that are open at once, and as many reports: as many leases as a gateway admits. */
const maxRequests = 16;

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
    this.#serving = new UnitBatches({ ...opened, log: parts.log }).serve(this.#ended.signal);
  }

  /** Makes the folder and serves it, before the payload starts. @throws the error of the operating system */
  static async begin(parts: JobUnitsParts): Promise<JobUnits> {
    const { folders, record, calls } = parts;
    try {
      await mkdir(folders.units, { mode: 0o700 });
      const requests = await RequestFolder.open(folders.units);
      await record.saveUnits(await requests.identity());
      return await JobUnits.#open(parts, requests, await openFolder(folders.units));
    } catch (error) {
      await calls.close();
      throw error;
    }
  }

  /**
   * Serves the payload of an earlier pilot; undefined if it is not recorded, or the payload has replaced a
   * folder. Never rejects: the payload is running.
   */
  static async resume(parts: JobUnitsParts): Promise<JobUnits | undefined> {
    const { folders, record, calls, log } = parts;
    try {
      const identity = await record.units();
      const folder = identity && (await reopenFolder(folders.units, identity));
      const requests = folder && (await RequestFolder.reopen(folders.units, identity));
      if (folder && requests) return await JobUnits.#open(parts, requests, folder);
      await folder?.close();
    } catch (error) {
      log.warn({ err: error }, 'work units not served again');
    }
    await calls.close().catch(() => undefined);
    return undefined;
  }

  static async #open(parts: JobUnitsParts, requests: RequestFolder, folder: FileHandle): Promise<JobUnits> {
    const { calls, log } = parts;
    try {
      const files = await BatchFiles.open(folder);
      const service = new UnitService({ calls, log, open: new OpenRequests(maxRequests) });
      // The path of the folder itself may be too long for an address.
      const socket = await UnitSocket.listen(pathOf(folder), service).catch((error: unknown) => {
        log.warn({ err: error }, 'socket for work units not opened');
        return undefined;
      });
      return new JobUnits(parts, folder, { requests, files, service, socket });
    } catch (error) {
      await Promise.all([requests.close(), folder.close()]);
      throw error;
    }
  }

  /** Ends the socket and all requests. May be called twice; never rejects. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#ended.abort(new Error('the attempt has ended'));
    const { requests, files, socket } = this.#opened;
    try {
      await socket?.close();
      await this.#serving;
      await Promise.all([requests.close(), files.close(), this.#folder.close(), this.#parts.calls.close()]);
    } catch (error) {
      this.#parts.log.warn({ err: error }, 'work units of the attempt not closed');
    }
  }
}
