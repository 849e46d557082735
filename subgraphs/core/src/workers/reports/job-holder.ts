/** Whether a worker holds, or held last, the attempt that its word is about. */
import type { Principal } from '@rhizome/authz';
import type { ReportedJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import type { Ledger } from '../../scheduler/cache/ledger.js';
import { mayActFor, type WorkerAccess } from '../worker-access.js';
import { rejectUnknownOrLost, type AccessCode, type WorkerProblem } from '../worker-errors.js';
import type { WorkerRegistry } from '../worker-registry.js';

/** What {@link JobHolder} is made of. */
export interface JobHolderOptions {
  readonly registry: Pick<WorkerRegistry, 'find'>;
  readonly access: WorkerAccess;
  readonly ledger: Pick<Ledger, 'get'>;
  readonly jobs: { reported(ids: readonly string[]): Promise<readonly ReportedJob[]> };
}

/** See the head of this file. */
export class JobHolder {
  readonly #options: JobHolderOptions;

  constructor(options: JobHolderOptions) {
    this.#options = options;
  }

  /** The number of the attempt, or why the word does not count. After the attempt ended by the worker's own word it still counts. */
  async attemptOf(
    principal: Principal,
    { workerId, jobId, fence }: { readonly workerId: string; readonly jobId: string; readonly fence: number },
  ): Promise<{ readonly attempt: number } | WorkerProblem<AccessCode | 'JOB_NOT_FOUND' | 'FENCE_STALE'>> {
    const { registry, access, ledger, jobs } = this.#options;
    const worker = await registry.find(workerId);
    if (worker) await access.assert(principal, 'jobLog:append', worker.queue);
    const refusal = rejectUnknownOrLost(workerId, worker);
    if (refusal) return refusal;
    const entry = ledger.get(jobId);
    const mayReport = (share: string): boolean => mayActFor(principal, 'jobLog:append', share);
    if (entry?.workerId === workerId && entry.fence === fence && mayReport(entry.share))
      return { attempt: entry.attempt };
    const [job] = await jobs.reported([jobId]);
    if (!job || !mayReport(job.share))
      return {
        code: 'JOB_NOT_FOUND',
        path: ['jobId'],
        message: `jobId: there is no job ${JSON.stringify(jobId)}`,
      };
    if (job.fence === fence && job.workerId === workerId) return { attempt: job.attempt };
    return {
      code: 'FENCE_STALE',
      path: ['fence'],
      message: `fence: ${fence} no longer counts for job ${jobId}: it was taken from this worker`,
    };
  }
}
