/** Commands that follow from the jobs that a worker reports to hold. */
import { isHeld } from '../../jobs/model/job-state.js';
import type { ReportedJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import type { Ledger } from '../../scheduler/cache/ledger.js';
import type { HeldJob, WorkerDocument } from '../worker.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';

/** A command to a worker. */
export interface WorkerCommand {
  readonly kind: 'KILL' | 'DROP' | 'DRAIN' | 'WORK';
  readonly jobId?: string;
  readonly fence?: number;
  readonly reason?: string;
}

/** Derives commands from heartbeats. */
export class CommandRules {
  readonly #ledger: Pick<Ledger, 'get'>;
  readonly #jobs: { reported(ids: readonly string[]): Promise<readonly ReportedJob[]> };
  constructor(
    ledger: Pick<Ledger, 'get'>,
    jobs: { reported(ids: readonly string[]): Promise<readonly ReportedJob[]> },
  ) {
    this.#ledger = ledger;
    this.#jobs = jobs;
  }

  /**
   * Commands that follow from a heartbeat. Jobs that the ledger does not assign to this worker are looked up
   * in the store.
   */
  async forHeartbeat(
    worker: WorkerDocument,
    queue: QueueFacts | undefined,
    held: readonly HeldJob[],
  ): Promise<readonly WorkerCommand[]> {
    const doubtful = held.filter(({ id, fence }) => {
      const entry = this.#ledger.get(id);
      return entry?.workerId !== worker._id || entry.fence !== fence;
    });
    const found = doubtful.length === 0 ? [] : await this.#jobs.reported(doubtful.map(({ id }) => id));
    const byId = new Map(found.map((job) => [job._id, job]));
    return [
      ...drainOf(worker, queue),
      ...doubtful.flatMap((job) => orderOf(worker._id, job, byId.get(job.id))),
    ];
  }
}

/** Returns the command to drain if the worker or its queue accepts no more jobs. */
export function drainOf(
  worker: Pick<WorkerDocument, 'state' | 'stateReason'>,
  queue: Pick<QueueFacts, 'name' | 'state'> | undefined,
): readonly WorkerCommand[] {
  if (worker.state === 'DRAINING')
    return [{ kind: 'DRAIN', ...(worker.stateReason === undefined ? {} : { reason: worker.stateReason }) }];
  return queue?.state === 'OFFLINE' ? [{ kind: 'DRAIN', reason: `queue ${queue.name} is OFFLINE` }] : [];
}

function orderOf(
  workerId: string,
  { id, fence }: HeldJob,
  job: ReportedJob | undefined,
): readonly WorkerCommand[] {
  if (!job) return [{ kind: 'DROP', jobId: id, fence, reason: `Job ${JSON.stringify(id)} not found.` }];
  if (job.fence === fence && job.workerId === workerId && isHeld(job.state)) return [];
  const wasEnded = (job.state === 'CANCELLED' || job.state === 'CLOSED') && job.fence === fence + 1;
  if (wasEnded)
    return [{ kind: 'KILL', jobId: id, fence, reason: job.last.reason ?? `the job is ${job.state}` }];
  return [{ kind: 'DROP', jobId: id, fence, reason: 'the job no longer belongs to the worker' }];
}
