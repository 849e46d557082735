/**
 * Removes files that nobody needs: those of attempts that were superseded or failed, and those of jobs whose
 * documents were deleted. Runs on the leader; every step may be repeated, also by two leaders at once.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { isTerminal } from '../jobs/model/job-state.js';
import type { JobDocument } from '../jobs/model/job.types.js';
import type { JobsRepository } from '../jobs/model/jobs.repository.js';
import { LeaderTask, type LeaderWork, repeat } from '../shared/leader-task.js';
import { locationOf } from '../storages/places.js';
import type { StorageDocument } from '../storages/storage.document.js';
import type { StoragesService } from '../storages/storages.service.js';
import type { JobFilesDocument } from './job-files.document.js';
import type { JobFilesRepository } from './job-files.repository.js';
import type { OpenStorages } from './open-storages.js';

/** Dependencies of {@link FilesUpkeep}. */
export interface FilesUpkeepOptions {
  readonly files: Pick<JobFilesRepository, 'due' | 'postpone' | 'remove'>;
  readonly jobs: Pick<JobsRepository, 'find'>;
  readonly storages: Pick<StoragesService, 'allFresh'>;
  readonly opened: Pick<OpenStorages, 'of'>;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * Time after the end of a job after which its superseded files are removed; longer than any address is
   * valid.
   */
  readonly removeAfterSeconds: number;
  /** Interval in milliseconds. */
  readonly everyMs: number;
}

/** Records per batch. */
const batchSize = 100;
/** Time after which a job is checked that has not ended, or whose storage failed. */
const retrySeconds = 3600;
/** Time after which the files of an ended job are checked: its documents may have been deleted. */
const keptSeconds = 30 * 86_400;
/** Longest work on the files of one job. */
const longestMs = 60_000;

const jobFields = { state: 1, updatedAt: 1, outputs: 1 } as const;

/** The work of the leader. */
export class FilesUpkeep {
  readonly #options: FilesUpkeepOptions;
  readonly #task: LeaderTask;

  constructor(options: FilesUpkeepOptions) {
    this.#options = options;
    const { leader, log, everyMs } = options;
    const onError = (err: unknown): void => log.warn({ err }, 'files of jobs not looked at');
    this.#task = new LeaderTask(
      leader,
      (signal) => repeat(() => this.#round(signal), everyMs, signal, onError),
      log,
    );
  }

  start(): void {
    this.#task.start();
  }

  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { files, jobs, storages, clock } = this.#options;
    for (let isFull = true; isFull && !signal.aborted;) {
      const due = await files.due(clock.now(), batchSize);
      isFull = due.length === batchSize;
      if (due.length === 0) return;
      const known = new Map((await storages.allFresh()).map((storage) => [storage._id, storage]));
      const found = await jobs.find(
        due.map(({ _id }) => _id),
        jobFields,
      );
      const byId = new Map(found.map((job) => [job._id, job]));
      for (const record of due) {
        if (signal.aborted) return;
        await this.#look(record, byId.get(record._id), known, signal);
      }
    }
  }

  async #look(
    record: JobFilesDocument,
    job: Pick<JobDocument, '_id' | 'state' | 'updatedAt' | 'outputs'> | undefined,
    storages: ReadonlyMap<string, StorageDocument>,
    signal: AbortSignal,
  ): Promise<void> {
    const { files, clock, log, removeAfterSeconds } = this.#options;
    const now = clock.now();
    const later = (seconds: number, isOpen: boolean): Promise<void> =>
      files.postpone(record, { dueAt: new Date(now.getTime() + seconds * 1000), isOpen }, now);
    if (job && !isTerminal(job.state)) return later(retrySeconds, true);
    const left = job ? removeAfterSeconds - (now.getTime() - job.updatedAt.getTime()) / 1000 : 0;
    if (left > 0) return later(left, true);
    const kept = new Set(job?.outputs.map(({ location }) => location));
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(longestMs)]);
      let removed = 0;
      for (const name of record.storages) {
        const storage = storages.get(name);
        // Without its storage nothing can be removed; it may be created again.
        if (!storage) return await later(keptSeconds, false);
        removed += await this.#clean(storage, record.prefix, kept, limit);
      }
      if (removed > 0) log.info({ jobId: record._id, removed }, 'superseded files of a job removed');
      await (kept.size > 0 ? later(keptSeconds, false) : files.remove(record));
    } catch (err) {
      if (signal.aborted) return;
      log.warn({ err, jobId: record._id }, 'superseded files of a job not removed');
      await later(retrySeconds, true);
    }
  }

  /** Removes the files below a prefix that are not kept. @returns their number */
  async #clean(
    storage: StorageDocument,
    prefix: string,
    kept: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<number> {
    const provider = await this.#options.opened.of(storage);
    let removed = 0;
    for (let after: string | null | undefined; after !== null;) {
      const page = await provider.list(prefix, { signal, ...(after === undefined ? {} : { after }) });
      for (const { key } of page.files) {
        if (kept.has(locationOf(storage._id, key))) continue;
        await provider.delete(key, { signal });
        removed += 1;
      }
      after = page.next;
    }
    return removed;
  }
}
