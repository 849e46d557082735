/** Deletes the files of datasets that are being removed. Runs on the leader; every step may be repeated. */
import type { Logger } from '@rhizome/log';
import { LeaderTask, type LeaderWork, repeat } from '../shared/leader-task.js';
import { type DatasetFilesRepository, filesAtOnce } from './dataset-files.repository.js';
import type { DatasetsRepository } from './datasets.repository.js';

/** Dependencies of {@link DatasetUpkeep}. */
export interface DatasetUpkeepOptions {
  readonly datasets: Pick<DatasetsRepository, 'removing' | 'drop'>;
  readonly files: Pick<DatasetFilesRepository, 'drop' | 'hasFiles'>;
  /** Id of a task that will read files of the dataset; undefined if there is none. */
  readonly readingTask: (datasetId: string) => Promise<string | undefined>;
  readonly leader: LeaderWork;
  readonly log: Logger;
  /** Interval in milliseconds; defaults to 3000. */
  readonly everyMs?: number | undefined;
}

const datasetsAtOnce = 100;

/** The work of the leader. */
export class DatasetUpkeep {
  readonly #options: DatasetUpkeepOptions;
  readonly #task: LeaderTask;

  constructor(options: DatasetUpkeepOptions) {
    this.#options = options;
    const { leader, log, everyMs = 3000 } = options;
    const failed = (err: unknown): void => log.warn({ err }, 'datasets not removed');
    this.#task = new LeaderTask(
      leader,
      (signal) => repeat(() => this.#round(signal), everyMs, signal, failed),
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
    const { datasets, files, readingTask, log } = this.#options;
    for (const { _id } of await datasets.removing(datasetsAtOnce)) {
      // It was submitted while the dataset was being removed: its jobs get their files first.
      if ((await readingTask(_id)) !== undefined) continue;
      while (!signal.aborted && (await files.drop(_id, filesAtOnce)) > 0);
      if (signal.aborted) return;
      // Copies of those that are left are being deleted.
      if (await files.hasFiles(_id)) continue;
      await datasets.drop(_id);
      log.info({ datasetId: _id }, 'dataset removed');
    }
  }
}
