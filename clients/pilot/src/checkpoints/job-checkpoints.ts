import type { Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FileStore } from '../files/file-store.types.js';
import type { AttemptFolders } from '../files/scratch.js';
import type { Assignment } from '../protocol/core-protocol.js';
import type { Contact } from '../report/contact.js';
import type { JobReports } from '../report/job-reports.js';
import type { AttemptRecord } from '../supervisor/attempt-record.js';
import type {
  Checkpoint,
  Progress,
  ProgressSource,
  RecordedCheckpoints,
  RestoredCheckpoint,
} from './checkpoint.types.js';
import { CheckpointRefused, fetchCheckpoint, removeCheckpoints, storeFiles } from './checkpoint-store.js';
import { FileRefused, PayloadFiles } from './payload-files.js';
import { parseRequest, type PayloadRequest } from './payload-request.js';
import { type RequestAnswer, RequestFolder } from './request-folder.js';

/** Services that the checkpoints of a job need. */
export interface CheckpointServices {
  readonly store: FileStore;
  readonly contact: Contact;
  readonly log: Logger;
}

/** The parts of an attempt. */
export interface CheckpointParts {
  readonly assignment: Assignment;
  readonly folders: AttemptFolders;
  readonly record: AttemptRecord;
}

const program = fileURLToPath(new URL('../../bin/rhizome-job', import.meta.url));
/** Time between two looks for requests. */
const pollMs = 500;
/** Time for which the answer to a payload waits for core: most checkpoints are known then. */
const longestReportMs = 10_000;
/** Exit codes of `rhizome-job`. */
const exits = { stored: 0, refused: 65, notStored: 74 } as const;

/**
 * Progress and checkpoints of one attempt: the requests of its payload, the files in the store, and the
 * reports about them.
 */
export class JobCheckpoints implements ProgressSource {
  readonly #parts: CheckpointParts;
  readonly #services: CheckpointServices;
  readonly #requests: RequestFolder | undefined;
  readonly #files: PayloadFiles | undefined;
  #recorded: RecordedCheckpoints;
  #latest: Progress | undefined;
  #reported: Progress | undefined;
  #noticedAt: () => string | undefined = () => undefined;
  restored: RestoredCheckpoint | undefined;

  private constructor(
    parts: CheckpointParts,
    services: CheckpointServices,
    recorded: RecordedCheckpoints,
    requests: RequestFolder | undefined,
    files: PayloadFiles | undefined,
  ) {
    this.#parts = parts;
    this.#services = services;
    this.#recorded = recorded;
    this.#requests = requests;
    this.#files = files;
  }

  /** Makes the folders for requests and for the program, before the payload starts. */
  static async begin(parts: CheckpointParts, services: CheckpointServices): Promise<JobCheckpoints> {
    const { assignment, folders, record } = parts;
    await mkdir(folders.requests, { recursive: true });
    await mkdir(folders.tools, { recursive: true });
    await copyFile(program, join(folders.tools, 'rhizome-job'));
    const requests = await RequestFolder.open(folders.requests);
    const files = await PayloadFiles.open(folders.root);
    if (files === undefined) throw new Error(`the folder ${folders.root} was replaced`);
    const identities = { root: await files.identity(), requests: await requests.identity() };
    const recorded = { ...identities, made: 0, kept: assignment.checkpoints, obsolete: [] };
    await record.beginCheckpoints(recorded);
    return new JobCheckpoints(parts, services, recorded, requests, files);
  }

  /** Continues those of an earlier pilot; undefined if they are not recorded. */
  static async resume(
    parts: CheckpointParts,
    services: CheckpointServices,
  ): Promise<JobCheckpoints | undefined> {
    const { folders, record } = parts;
    const recorded = await record.checkpoints();
    if (recorded === undefined) return undefined;
    const requests = await RequestFolder.reopen(folders.requests, recorded.requests);
    const files = await PayloadFiles.open(folders.root, recorded.root);
    return new JobCheckpoints(parts, services, recorded, requests, files);
  }

  /**
   * Fetches the newest checkpoint of earlier attempts that is intact.
   * @throws AttemptError DATA CHECKPOINT_UNAVAILABLE if the store cannot be read now
   */
  async restore(signal: AbortSignal): Promise<void> {
    const { assignment, folders } = this.#parts;
    const { store, log } = this.#services;
    for (const checkpoint of assignment.checkpoints) {
      const { step, attempt } = checkpoint;
      if (await fetchCheckpoint(checkpoint, folders.checkpoint, store, signal)) {
        log.info({ step, madeBy: attempt }, 'checkpoint fetched');
        this.restored = { folder: folders.checkpoint, step };
        return;
      }
      log.warn({ step, madeBy: attempt }, 'checkpoint skipped: it is not intact');
    }
  }

  /**
   * Serves requests of the payload until the signal; never rejects.
   * @param noticedAt time at which the payload received notice of its end, as ISO 8601
   */
  async serve(reports: JobReports, signal: AbortSignal, noticedAt: () => string | undefined): Promise<void> {
    const { log } = this.#services;
    this.#noticedAt = noticedAt;
    // An earlier pilot may not have reported what it recorded.
    if (this.#recorded.made > 0) void this.#report(reports, signal);
    while (!signal.aborted) {
      try {
        for (const name of (await this.#requests?.requests()) ?? []) await this.#serve(name, reports, signal);
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, 'request of the payload not served');
      }
      await sleep(pollMs, signal);
    }
  }

  /** Latest progress that core does not know; undefined if there is none. */
  async unreported(): Promise<Progress | undefined> {
    const found = await this.#requests?.progress().catch(() => undefined);
    const point = found && parseRequest(found.text);
    if (found && point?.files.length === 0)
      this.#note({ step: point.step, fraction: point.fraction, at: found.at });
    return this.#latest === this.#reported ? undefined : this.#latest;
  }

  /** Core knows this progress. */
  recordReported(progress: Progress): void {
    this.#reported = progress;
  }

  /** Reports the last progress of a payload that has ended, if core answers soon. Never rejects. */
  async reportLast(): Promise<void> {
    const { contact } = this.#services;
    if ((await this.unreported()) !== undefined) await contact.wait(contact.confirm(), longestReportMs);
  }

  /** The job is FINISHED: nobody needs its checkpoints. Never rejects. */
  async removeAll(): Promise<void> {
    const { kept, obsolete } = this.#recorded;
    await this.#remove([...kept, ...obsolete]);
  }

  async close(): Promise<void> {
    await this.#requests?.close();
    await this.#files?.close();
  }

  #note(progress: Progress): void {
    const isNewer = this.#latest === undefined || progress.at > this.#latest.at;
    if (isNewer) this.#latest = progress;
  }

  async #serve(name: string, reports: JobReports, signal: AbortSignal): Promise<void> {
    const found = await this.#requests?.read(name);
    const request = found && parseRequest(found.text);
    // Still being written, or not a request.
    if (request === undefined) return;
    const answer = await this.#answerTo(request, reports, signal);
    if (!signal.aborted) await this.#requests?.answer(name, answer);
  }

  async #answerTo(request: PayloadRequest, reports: JobReports, signal: AbortSignal): Promise<RequestAnswer> {
    const { log } = this.#services;
    try {
      await this.#make(request, reports, signal);
      return { code: exits.stored, message: 'stored' };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const isRefused = error instanceof FileRefused || error instanceof CheckpointRefused;
      if (!isRefused && !signal.aborted) log.warn({ err: error }, 'checkpoint not stored');
      return isRefused
        ? { code: exits.refused, message: `checkpoint refused: ${message}` }
        : { code: exits.notStored, message: `the checkpoint could not be stored: ${message}` };
    }
  }

  /** Stores a checkpoint; it counts once it is recorded. */
  async #make(request: PayloadRequest, reports: JobReports, signal: AbortSignal): Promise<void> {
    const { step, fraction } = request;
    const { assignment, record } = this.#parts;
    const { store, log } = this.#services;
    const { jobId, attemptId, attempt, payload, requirements } = assignment;
    const source = this.#files;
    if (source === undefined) throw new CheckpointRefused('the payload has replaced the folder of the job');
    const number = this.#recorded.made + 1;
    const place = { jobId, attemptId, number };
    const maxMiB = Math.max(1, requirements.diskMiB);
    const files = await storeFiles(request.files, source, place, { store, maxMiB }, signal);
    const at = new Date();
    const noticedAt = this.#noticedAt();
    const point = { attempt, step, fraction, madeAt: at.toISOString() };
    const made: Checkpoint = { ...point, ...(noticedAt === undefined ? {} : { noticedAt }), files };
    const all = [made, ...this.#recorded.kept];
    const kept = all.slice(0, payload.keptCheckpoints);
    const obsolete = [...this.#recorded.obsolete, ...all.slice(payload.keptCheckpoints)];
    const recorded = { ...this.#recorded, made: number, kept, obsolete };
    await record.saveCheckpoints(recorded);
    this.#recorded = recorded;
    log.info({ step, files: files.length }, 'checkpoint stored');
    if (step !== null || fraction !== null) this.#note({ step, fraction, at });
    await this.#services.contact.wait(this.#report(reports, signal), longestReportMs);
  }

  /** Reports the checkpoints; the files of those that they replace go once core knows that. Never rejects. */
  async #report(reports: JobReports, signal: AbortSignal): Promise<void> {
    const { kept, obsolete } = this.#recorded;
    try {
      const result = await reports.deliver({ kind: 'CHECKPOINT', checkpoints: kept });
      if (!result.accepted) {
        const { code, message: reason } = result.refusal;
        this.#services.log.warn({ code, reason }, 'checkpoints refused by core');
        return;
      }
    } catch {
      // A later report has taken its place, or the job is no longer this pilot's.
      return;
    }
    if (signal.aborted || obsolete.length === 0) return;
    await this.#remove(obsolete);
    this.#recorded = {
      ...this.#recorded,
      obsolete: this.#recorded.obsolete.filter((one) => !obsolete.includes(one)),
    };
  }

  async #remove(checkpoints: readonly Checkpoint[]): Promise<void> {
    const { store, log } = this.#services;
    const limit = AbortSignal.timeout(removalTimeoutMs);
    await removeCheckpoints(checkpoints, store, limit).catch((error: unknown) =>
      log.warn({ err: error }, 'files of old checkpoints not removed'),
    );
  }
}

/** Time for the removal of old checkpoints: a store that does not answer must not hold up the job. */
const removalTimeoutMs = 60_000;
