import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { JobProgress } from '../../jobs/checkpoints/job-progress.js';
import type { ProgressReport } from '../../jobs/checkpoints/job-progress.repository.js';
import { isHeld } from '../../jobs/model/job-state.js';
import type { Ledger } from '../../scheduler/cache/ledger.js';
import type { ReportedJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import { mayActFor } from '../worker-access.js';
import { earlier, type ProgressSpec, storedPoint } from './progress-input.js';

/** Dependencies of {@link ProgressReports}. */
export interface ProgressReportsOptions {
  readonly ledger: Pick<Ledger, 'get'>;
  readonly jobs: { reported(ids: readonly string[]): Promise<readonly ReportedJob[]> };
  readonly progress: Pick<JobProgress, 'record'>;
  readonly clock: Clock;
}

/** Records the progress that heartbeats report. */
export class ProgressReports {
  readonly #options: ProgressReportsOptions;

  constructor(options: ProgressReportsOptions) {
    this.#options = options;
  }

  /**
   * Records progress of the jobs that the worker holds under the given fences. Other entries are ignored: the
   * answer to the heartbeat drops their jobs.
   */
  async record(principal: Principal, workerId: string, reports: readonly ProgressSpec[]): Promise<void> {
    if (reports.length === 0) return;
    const { ledger, jobs, progress, clock } = this.#options;
    const attempts = new Map<string, number>();
    const unknown: ProgressSpec[] = [];
    for (const report of reports) {
      const entry = ledger.get(report.id);
      if (entry?.workerId !== workerId || entry.fence !== report.fence) unknown.push(report);
      else if (mayActFor(principal, 'job:report', entry.share)) attempts.set(report.id, entry.attempt);
    }
    const fences = new Map(unknown.map(({ id, fence }) => [id, fence]));
    const found = unknown.length === 0 ? [] : await jobs.reported([...fences.keys()]);
    for (const job of found) {
      const isHolder = job.workerId === workerId && job.fence === fences.get(job._id) && isHeld(job.state);
      if (isHolder && mayActFor(principal, 'job:report', job.share)) attempts.set(job._id, job.attempt);
    }
    const now = clock.now();
    await progress.record(
      reports.flatMap((report): ProgressReport[] => {
        const attempt = attempts.get(report.id);
        if (attempt === undefined) return [];
        const at = earlier(report.at, now);
        return [{ jobId: report.id, fence: report.fence, attempt, ...storedPoint(report), at }];
      }),
    );
  }
}
