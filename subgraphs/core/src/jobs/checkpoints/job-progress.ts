/** Progress and checkpoints of jobs, as their payloads report them. */
import type { Clock } from '@rhizome/clock';
import type { JobState } from '../model/job-state.js';
import type { JobProgressDocument, StoredProgress } from './job-progress.document.js';
import type { CheckpointReport, JobProgressRepository, ProgressReport } from './job-progress.repository.js';
import { shownProgress, type ShownProgress } from './shown-progress.js';

/** Dependencies of {@link JobProgress}. */
export interface JobProgressOptions {
  readonly repository: JobProgressRepository;
  readonly clock: Clock;
}

interface Waiting {
  readonly reports: readonly ProgressReport[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Time that reports of heartbeats wait for those of others, in milliseconds. */
const gatherMs = 20;
/** Most reports in one write. */
const maxGroup = 1000;

/** Stores progress, in one write for the heartbeats that arrive together. */
export class JobProgress {
  readonly #options: JobProgressOptions;
  #waiting: Waiting[] = [];
  #size = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: JobProgressOptions) {
    this.#options = options;
  }

  /** Stores the latest progress of jobs that the worker of the reports holds. */
  async record(reports: readonly ProgressReport[]): Promise<void> {
    if (reports.length === 0) return;
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ reports, resolve, reject });
      this.#size += reports.length;
      if (this.#size >= maxGroup) this.#flush();
      else this.#timer ??= setTimeout(() => this.#flush(), gatherMs);
    });
  }

  /** Replaces the checkpoints of jobs that the worker of the reports holds. */
  async keepCheckpoints(reports: readonly CheckpointReport[]): Promise<void> {
    const { repository, clock } = this.#options;
    if (reports.length > 0) await repository.saveCheckpoints(reports, clock.now());
  }

  /** Progress of jobs, one entry for each id; null without any. */
  async findMany(jobIds: readonly string[]): Promise<readonly (JobProgressDocument | null)[]> {
    const found = await this.#options.repository.findMany([...new Set(jobIds)]);
    const byId = new Map(found.map((document) => [document._id, document]));
    return jobIds.map((id) => byId.get(id) ?? null);
  }

  /** Progress with the values that follow from it now. */
  shown(progress: StoredProgress, state: JobState): ShownProgress {
    return shownProgress(progress, state, this.#options.clock.now());
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const group = this.#waiting;
    this.#waiting = [];
    this.#size = 0;
    void this.#write(group);
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    const { repository, clock } = this.#options;
    try {
      await repository.saveProgress(latestOf(group.flatMap(({ reports }) => reports)), clock.now());
      for (const { resolve } of group) resolve();
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }
}

/** The report of the newest attempt for each job, and of it the last one. */
function latestOf(reports: readonly ProgressReport[]): readonly ProgressReport[] {
  const latest = new Map<string, ProgressReport>();
  for (const report of reports)
    if (report.fence >= (latest.get(report.jobId)?.fence ?? 0)) latest.set(report.jobId, report);
  return [...latest.values()];
}
