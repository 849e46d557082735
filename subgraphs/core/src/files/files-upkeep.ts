/**
 * Removes files that nobody needs: those of attempts that were superseded or failed, and those of jobs whose
 * documents were deleted. Runs on the leader; every step may be repeated, also by two leaders at once.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { forEachConcurrently } from '@rhizome/retry';
import { isTerminal } from '../jobs/model/job-state.js';
import type { JobDocument } from '../jobs/model/job.types.js';
import type { JobsRepository } from '../jobs/model/jobs.repository.js';
import { LeaderTask, type LeaderWork, repeat } from '../shared/leader-task.js';
import { locationOf } from '../storages/places.js';
import type { StorageDocument } from '../storages/storage.document.js';
import type { StoragesService } from '../storages/storages.service.js';
import { type JobOfKeptOutputs, keptOutputsOf, keptSeconds } from './kept-outputs.js';
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
/** Longest work on the files of one job. */
const longestMs = 60_000;
/** Jobs at the same time. */
const concurrent = 4;
/** Failures of a storage in one round after which its other files wait for a later round. */
const fewFailures = 3;
/** Time for which the files of an ended job are checked again: a slow upload of it may end late. */
const lateSeconds = 86_400;

/** Knowledge of one round. */
interface Round {
  readonly known: ReadonlyMap<string, StorageDocument>;
  /** Number of failures of each storage. */
  readonly failures: Map<string, number>;
}

const jobFields = {
  ...({ state: 1, updatedAt: 1, outputs: 1 } as const),
  ...({ 'attempts.number': 1, 'attempts.keptOutputs': 1 } as const),
} as const;

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
    const failures = new Map<string, number>();
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
      await forEachConcurrently(due, concurrent, async (record) => {
        if (signal.aborted) return;
        await this.#look(record, byId.get(record._id), { known, failures }, signal);
      });
    }
  }

  async #look(
    record: JobFilesDocument,
    job: (JobOfKeptOutputs & Pick<JobDocument, '_id' | 'outputs'>) | undefined,
    round: Round,
    signal: AbortSignal,
  ): Promise<void> {
    const { files, clock, log, removeAfterSeconds } = this.#options;
    const now = clock.now();
    const later = (seconds: number, isOpen: boolean): Promise<void> =>
      files.postpone(record, { dueAt: new Date(now.getTime() + seconds * 1000), isOpen }, now);
    if (job && !isTerminal(job.state)) return later(retrySeconds, true);
    const seconds = job ? (now.getTime() - job.updatedAt.getTime()) / 1000 : Infinity;
    if (seconds < removeAfterSeconds) return later(removeAfterSeconds - seconds, true);
    const registered = job ? [...job.outputs, ...keptOutputsOf(job, now)] : [];
    const kept = new Set(registered.map(({ location }) => location));
    let removed = 0;
    const states = new Set<string>();
    for (const name of record.storages) {
      const result = await this.#tryClean(name, record, { ...round, kept }, signal);
      if (signal.aborted) return;
      if (typeof result === 'number') removed += result;
      else states.add(result);
    }
    if (removed > 0) log.info({ jobId: record._id, removed }, 'superseded files of a job removed');
    if (states.has('FAILED')) await later(retrySeconds, true);
    else if (seconds < removeAfterSeconds + lateSeconds) await later(lateSeconds, kept.size === 0);
    // Without its storage nothing can be removed; it may be created again.
    else if (states.has('MISSING') || kept.size > 0) await later(keptSeconds, false);
    else await files.remove(record);
  }

  /** @returns the number of files that were removed, or why that was not possible */
  async #tryClean(
    name: string,
    { _id, prefix }: JobFilesDocument,
    { known, failures, kept }: Round & { readonly kept: ReadonlySet<string> },
    signal: AbortSignal,
  ): Promise<number | 'MISSING' | 'FAILED'> {
    const storage = known.get(name);
    if (!storage) return 'MISSING';
    const earlier = failures.get(name) ?? 0;
    if (earlier >= fewFailures) return 'FAILED';
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(longestMs)]);
      return await this.#clean(storage, prefix, kept, limit);
    } catch (err) {
      failures.set(name, (failures.get(name) ?? 0) + 1);
      this.#options.log.warn({ err, jobId: _id }, 'superseded files of a job not removed');
      return 'FAILED';
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
