/**
 * Requeues jobs of workers that are lost or never received them: the next attempt, or the end if none is
 * left.
 */
import type { Logger } from '@rhizome/log';
import { isHeld } from '../../jobs/model/job-state.js';
import type { JobDocument, StoredJobError } from '../../jobs/model/job.types.js';
import type { TransitionRequest, TransitionWriter } from '../../jobs/transitions/transition.types.js';
import type { FailedJob, FailureDecision } from '../../policies/failure.types.js';
import { type FailurePolicies, transitionOf } from '../../policies/failure-policies.js';

/** A held job with the fence of its grant. */
export interface GrantRef {
  readonly jobId: string;
  readonly fence: number;
}

/** Facts of a job needed to requeue it. */
export type HeldForRequeue = FailedJob & Pick<JobDocument, 'state' | 'fence' | 'workerId'>;

export interface RequeueGrantsOptions {
  readonly jobs: { heldByIds(ids: readonly string[]): Promise<readonly HeldForRequeue[]> };
  readonly writer: TransitionWriter;
  readonly policies: Pick<FailurePolicies, 'decide' | 'decideWithoutRules'>;
  readonly log: Logger;
}

/** Error of a grant that its worker never received. */
export function grantLost(why: string): StoredJobError {
  return {
    family: 'WORKER',
    code: 'GRANT_LOST',
    message: `The worker did not receive the job: ${why}.`,
    retryable: true,
  };
}

/** Error of a job that its worker began, and that it no longer has. */
export function jobLost(workerId: string, why: string): StoredJobError {
  return {
    family: 'WORKER',
    code: 'JOB_LOST',
    message: `Worker ${workerId} no longer has the job: ${why}.`,
    retryable: true,
  };
}

/** Error of a job whose worker was lost. */
export function leaseLost(workerId: string, why: string): StoredJobError {
  return {
    family: 'WORKER',
    code: 'LEASE_LOST',
    message: `Worker ${workerId} was lost: ${why}.`,
    retryable: true,
  };
}

/** Error of a job whose pilot started again without it. */
export function pilotRestarted(workerId: string, why: string): StoredJobError {
  return { ...leaseLost(workerId, why), family: 'WORKER', code: 'PILOT_RESTARTED' };
}

/** Error of a job that a worker still held when it ended. */
export function workerEnded(workerId: string, why: string | undefined): StoredJobError {
  return {
    family: 'WORKER',
    code: 'WORKER_ENDED',
    message: `Worker ${workerId} ended and returned the job${why === undefined ? '' : `: ${why}`}.`,
    retryable: true,
  };
}

/** Number of jobs read and written at once. */
const chunkSize = 1000;
/** A job that changes while it is read is read again, at most this often; then the next scan handles it. */
const maxRounds = 3;

/** Next transitions of jobs; a job without one stays as it is. */
type Plan = (jobs: readonly HeldForRequeue[]) => Promise<readonly TransitionRequest[]>;

/** Actor that gives jobs of unreachable workers away: their workers are not ordered to drop them. */
export const givesAway = 'system:unreachable';

/** Ends attempts and requeues their jobs. */
export class RequeueGrants {
  readonly #options: RequeueGrantsOptions;

  constructor(options: RequeueGrantsOptions) {
    this.#options = options;
  }

  /**
   * Requeues each job whose grant is still valid. Jobs that have ended or moved on are left alone.
   * @param actor for example `system:lease`
   * @returns the number of requeued jobs
   * @throws errors of the store
   */
  async run(grants: readonly GrantRef[], error: StoredJobError, actor: string): Promise<number> {
    const { policies } = this.#options;
    return this.#run(grants, async (jobs) => {
      const decisions = await policies.decide(jobs.map((job) => ({ job, end: { error } })));
      return jobs.flatMap((job, index) => {
        const decision = decisions[index];
        return decision ? [requestOf(job, error, decision, actor)] : [];
      });
    });
  }

  /**
   * Gives jobs of an unreachable worker to others, although their payloads may still run: when the worker
   * returns, it may continue those that no other worker has begun. A job without another attempt stays:
   * giving it up would gain nothing.
   * @param since end of the lease of the worker
   * @returns the number of jobs that were given away
   * @throws errors of the store
   */
  async giveAway(grants: readonly GrantRef[], error: StoredJobError, since: Date): Promise<number> {
    const { policies } = this.#options;
    return this.#run(grants, async (jobs) => {
      // No rules: a payload that is continued still has the requirements that it was sent with.
      const decisions = await policies.decideWithoutRules(jobs.map((job) => ({ job, end: { error } })));
      return jobs.flatMap((job, index) => {
        const decision = decisions[index];
        if (!decision || decision.after.to === 'FAILED') return [];
        const request = requestOf(job, error, decision, givesAway);
        return [{ ...request, change: { ...request.change, unreachableSince: since } }];
      });
    });
  }

  async #run(grants: readonly GrantRef[], plan: Plan): Promise<number> {
    let sent = 0;
    for (let at = 0; at < grants.length; at += chunkSize) {
      const chunk = grants.slice(at, at + chunkSize);
      sent += await this.#chunk(new Map(chunk.map(({ jobId, fence }) => [jobId, fence])), plan);
    }
    return sent;
  }

  async #chunk(open: Map<string, number>, plan: Plan): Promise<number> {
    const { jobs, writer, log } = this.#options;
    let sent = 0;
    for (let round = 0; round < maxRounds && open.size > 0; round += 1) {
      const found = await jobs.heldByIds([...open.keys()]);
      const requests = await plan(
        found.filter((job) => isHeld(job.state) && open.get(job._id) === job.fence),
      );
      open.clear();
      for (const [index, outcome] of (await writer.apply(requests)).entries()) {
        const request = requests[index];
        if (outcome.applied) sent += 1;
        else if (request?.fence !== undefined && outcome.current?.fence === request.fence)
          open.set(outcome.jobId, request.fence);
      }
    }
    if (open.size > 0)
      log.warn({ jobs: [...open.keys()] }, 'jobs changed repeatedly while they were requeued');
    return sent;
  }
}

function requestOf(
  job: HeldForRequeue,
  error: StoredJobError,
  decision: FailureDecision,
  actor: string,
): TransitionRequest {
  const { to, basis, ending, change } = transitionOf(decision);
  const attemptEnd = { error, ...ending };
  return {
    jobId: job._id,
    from: job.state,
    to,
    by: 'lease',
    actor,
    reason: attemptEnd.error.message,
    fence: job.fence,
    ...basis,
    change: { attemptEnd, ...change },
  };
}
