/** Checks that a worker holds the attempt that it reports about, or held it last. */
import type { Principal } from '@rhizome/authz';
import type { ReportedJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import type { Ledger } from '../../scheduler/cache/ledger.js';
import { mayActFor, type WorkerAccess } from '../worker-access.js';
import { rejectUnknownOrLost, type AccessCode, type WorkerProblem } from '../worker-errors.js';
import type { WorkerRegistry } from '../worker-registry.js';

/** Dependencies of {@link JobHolder}. */
export interface JobHolderOptions {
  readonly registry: Pick<WorkerRegistry, 'find'>;
  readonly access: WorkerAccess;
  readonly ledger: Pick<Ledger, 'get'>;
  readonly jobs: { reported(ids: readonly string[]): Promise<readonly ReportedJob[]> };
}

/** Finds the attempt that a worker reports about. */
export class JobHolder {
  readonly #options: JobHolderOptions;

  constructor(options: JobHolderOptions) {
    this.#options = options;
  }

  /**
   * Returns the number of the attempt, or the reason for a refusal. A report also counts after the worker
   * ended the attempt.
   */
  async attemptOf(
    principal: Principal,
    { workerId, jobId, fence }: { readonly workerId: string; readonly jobId: string; readonly fence: number },
    action: 'jobLog:append' | 'secret:redeem' | 'job:report' = 'jobLog:append',
  ): Promise<{ readonly attempt: number } | WorkerProblem<AccessCode | 'JOB_NOT_FOUND' | 'FENCE_STALE'>> {
    const { registry, access, ledger, jobs } = this.#options;
    const worker = await access.workerFor(principal, action, await registry.find(workerId));
    const refusal = rejectUnknownOrLost(workerId, worker);
    if (refusal) return refusal;
    const entry = ledger.get(jobId);
    const mayReport = (share: string): boolean => mayActFor(principal, action, share);
    if (entry?.workerId === workerId && entry.fence === fence && mayReport(entry.share))
      return { attempt: entry.attempt };
    const [job] = await jobs.reported([jobId]);
    if (!job || !mayReport(job.share))
      return {
        code: 'JOB_NOT_FOUND',
        path: ['jobId'],
        message: `Job ${JSON.stringify(jobId)} not found.`,
      };
    if (job.fence === fence && job.workerId === workerId) return { attempt: job.attempt };
    return {
      code: 'FENCE_STALE',
      path: ['fence'],
      message: `fence: ${fence} is stale for job ${JSON.stringify(jobId)}: the job was taken from this worker`,
    };
  }
}
