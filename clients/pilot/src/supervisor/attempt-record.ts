/** Records of attempts on disk, for the pilot that adopts them. */
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { placeOf } from '../files/file-store.js';
import type { RecordedCheckpoints } from '../checkpoints/checkpoint.types.js';
import type { FolderIdentity } from '@rhizome/storage/open-folder';
import { removeFolder } from '../files/scratch.js';
import type { Assignment } from '../protocol/core-protocol.js';
import { readDurable, writeChecked, writeDurably } from '../spool/durable-file.js';
import type { PayloadEnd } from './messages.js';

const suffix = '.record';

/** The start of a payload, as its supervisor records it. */
export interface PayloadStart {
  readonly leader: { readonly pid: number; readonly startTicks: number };
  /** Differs from the id of now if the host was restarted since. */
  readonly bootId: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Folder with its secrets. */
  readonly secrets: string | null;
}

/** Progress of the pilot's reports about an attempt. */
export interface AttemptProgress {
  readonly fence: number;
  /** Bytes of the log that core has, or that are among the reports on disk. */
  readonly outputOffset: number;
  /** Sequence number of the next chunk of the log. */
  readonly nextSequence: number;
  /** Phase after the end of the payload that core knows of; null before. */
  readonly phase: 'HOLDING' | 'TRANSFERRING' | null;
}

/** An assignment with the folder for its outputs, which a payload must not replace. */
export interface RecordedAssignment {
  readonly assignment: Assignment;
  readonly outputs: FolderIdentity;
}

/** A record of a pilot that knew no checkpoints. */
interface EarlierAssignment extends Omit<RecordedAssignment, 'assignment'> {
  readonly assignment: Omit<Assignment, 'checkpoints' | 'payload'> & {
    readonly checkpoints?: undefined;
    readonly payload: Omit<Assignment['payload'], 'keptCheckpoints'> & {
      readonly keptCheckpoints?: undefined;
    };
  };
}

/** Number of checkpoints that are kept unless the job says otherwise. */
const usuallyKept = 2;

/** Attempts with a record in the folder of a supervisor. */
export async function recordedAttempts(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
}

/**
 * The folder with the records of one attempt: the assignment and the progress of its reports, written by the
 * pilot, and the start, the log and the end of its payload, written by the supervisor. Only the end and the
 * checkpoints are flushed: the other records are of use only while the host runs.
 */
export class AttemptRecord {
  /** @param parent folder of the supervisor */
  constructor(
    readonly parent: string,
    readonly attemptId: string,
  ) {}

  get folder(): string {
    return join(this.parent, `${placeOf(this.attemptId)}${suffix}`);
  }

  get outputPath(): string {
    return join(this.folder, 'output');
  }

  async make(recorded: RecordedAssignment): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await this.#write('assignment', recorded);
  }

  /** Records of pilots that knew no checkpoints lack them. */
  async assignment(): Promise<RecordedAssignment | undefined> {
    const recorded = await this.#read<RecordedAssignment | EarlierAssignment>('assignment');
    if (recorded === undefined) return undefined;
    const { assignment, outputs } = recorded;
    const { checkpoints = [], payload } = assignment;
    const { keptCheckpoints = usuallyKept } = payload;
    return { assignment: { ...assignment, checkpoints, payload: { ...payload, keptCheckpoints } }, outputs };
  }

  async saveProgress(progress: AttemptProgress): Promise<void> {
    await this.#write('progress', progress);
  }

  async progress(): Promise<AttemptProgress | undefined> {
    return this.#read('progress');
  }

  async saveStart(start: PayloadStart): Promise<void> {
    await this.#write('start', start);
  }

  /** True if a payload may have been started: its log is opened before. */
  async hasOutput(): Promise<boolean> {
    return stat(this.outputPath).then(
      () => true,
      () => false,
    );
  }

  /** Undefined if no payload was started, or the disk did not take the record. */
  async start(): Promise<PayloadStart | undefined> {
    return this.#read('start');
  }

  /** Records that there are no checkpoints of this attempt yet; of use only while the host runs. */
  async beginCheckpoints(none: RecordedCheckpoints): Promise<void> {
    await writeChecked(this.#path('checkpoints'), JSON.stringify(none));
  }

  /** Once it resolves, the checkpoints survive the end of the host. */
  async saveCheckpoints(checkpoints: RecordedCheckpoints): Promise<void> {
    await writeDurably(this.#path('checkpoints'), JSON.stringify(checkpoints));
  }

  /** Undefined if the payload was not prepared, or the disk returned it damaged. */
  async checkpoints(): Promise<RecordedCheckpoints | undefined> {
    return readDurable<RecordedCheckpoints>(this.#path('checkpoints')).catch(() => undefined);
  }

  /** Records the folder in which the payload works on units. */
  async saveUnits(folder: FolderIdentity): Promise<void> {
    await this.#write('units', folder);
  }

  /** Undefined if the payload works on none. */
  async units(): Promise<FolderIdentity | undefined> {
    return this.#read('units');
  }

  /** Once it resolves, the end of the payload survives the end of the host. */
  async saveEnd(end: PayloadEnd): Promise<void> {
    await writeDurably(this.#path('end'), JSON.stringify(end));
  }

  /** Undefined if the payload has not ended, or its end is not known. */
  async end(): Promise<PayloadEnd | undefined> {
    return readDurable<PayloadEnd>(this.#path('end')).catch(() => undefined);
  }

  async remove(): Promise<void> {
    await removeFolder(this.folder);
  }

  #path(name: string): string {
    return join(this.folder, `${name}.json`);
  }

  async #write(name: string, value: object): Promise<void> {
    const aside = `${this.#path(name)}.new`;
    await writeFile(aside, JSON.stringify(value), { mode: 0o600 });
    await rename(aside, this.#path(name));
  }

  async #read<T>(name: string): Promise<T | undefined> {
    try {
      return JSON.parse(await readFile(this.#path(name), 'utf8')) as T;
    } catch {
      return undefined;
    }
  }
}
