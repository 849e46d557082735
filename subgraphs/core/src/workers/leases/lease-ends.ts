/**
 * Follows up the end of a lease, as the leader: the worker becomes unreachable while payloads of it may run,
 * its jobs go to other workers when their time is over, and it is lost when nothing of it can return.
 */
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import type { StoredJobError } from '../../jobs/model/job.types.js';
import type { Ledger } from '../../scheduler/cache/ledger.js';
import type { LedgerEntry } from '../../scheduler/scheduler.types.js';
import {
  leaseLost,
  pilotRestarted,
  type RequeueGrants,
  workerEnded,
} from '../../scheduler/dispatch/requeue-grants.js';
import type { WorkObserver } from '../../shared/work-observer.js';
import type { LeasesRepository } from './leases.repository.js';
import { planLoss } from './loss-plan.js';
import type { UnreachableLeasesRepository } from './unreachable-leases.repository.js';
import type { WorkerRegistry } from '../worker-registry.js';
import type { LeaseDocument, RetainedJob, WorkerDocument } from '../worker.types.js';
import type { WorkersRepository } from '../workers.repository.js';

/** Dependencies of {@link LeaseEnds}. */
export interface LeaseEndsOptions {
  readonly leases: LeasesRepository;
  readonly unreachable: UnreachableLeasesRepository;
  readonly workers: WorkersRepository;
  readonly registry: WorkerRegistry;
  readonly ledger: Pick<Ledger, 'entriesOf' | 'retain'>;
  /** Reads jobs that workers hold into the ledger. */
  readonly readHeld: (jobIds: readonly string[]) => Promise<void>;
  readonly requeueGrants: RequeueGrants;
  readonly observer: Pick<WorkObserver, 'leaseLost'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Follows up leases that have ended. */
export class LeaseEnds {
  readonly #options: LeaseEndsOptions;

  constructor(options: LeaseEndsOptions) {
    this.#options = options;
  }

  /**
   * Does what is due for the lease. The next leader may repeat each step: the lease is rescheduled or removed
   * last.
   */
  async close(lease: LeaseDocument): Promise<void> {
    const { ledger, unreachable, clock } = this.#options;
    const held = ledger.entriesOf(lease._id);
    // A grant that is being written has no fence yet. The lease stays due, so that the next scan finds the
    // written grant.
    if (held.some(({ fence }) => fence === Infinity)) return;
    if (lease.isFinal) return this.#end(lease, held);
    // By the clock of the store the lease is due.
    const now = new Date(Math.max(clock.now().getTime(), lease.dueAt?.getTime() ?? 0));
    const plan = planLoss(lease, held, now);
    if (plan.isOver) {
      if (await unreachable.end(lease)) await this.#end(lease, held);
      return;
    }
    const hasWork = plan.stopped.length + plan.due.length > 0;
    const retained = together(lease.retained ?? [], plan.retained, now);
    const dueAt = hasWork ? (lease.dueAt ?? now) : plan.nextAt;
    if (!(await unreachable.keep(lease, { until: plan.until, dueAt, retained }))) return;
    ledger.retain(lease._id, retained);
    await this.#loseContact(lease, plan.until);
    if (!hasWork) return;
    const { requeueGrants } = this.#options;
    const error = leaseLost(lease._id, reasonOf(lease));
    if (plan.stopped.length > 0) await requeueGrants.run(plan.stopped, error, 'system:lease');
    if (plan.due.length > 0) await requeueGrants.giveAway(plan.due, error, lease.lostAt ?? now);
    await unreachable.schedule(lease, plan.nextAt);
  }

  async #loseContact(lease: LeaseDocument, until: Date): Promise<void> {
    const { workers, registry, observer, log } = this.#options;
    const worker = await workers.loseContact(lease._id, lease.lostAt ?? lease.updatedAt);
    if (!worker) return;
    registry.set(worker);
    observer.leaseLost('unreachable');
    log.info({ workerId: lease._id, queue: worker.queue, until }, 'worker unreachable');
  }

  async #end(lease: LeaseDocument, held: readonly Readonly<LedgerEntry>[]): Promise<void> {
    const { workers, registry, leases, requeueGrants, ledger, readHeld, observer, log } = this.#options;
    const reason = reasonOf(lease);
    const lost = await workers.end(lease._id, lease.hasEnded ? 'ENDED' : 'LOST', reason, lease);
    if (lost) {
      registry.set(lost);
      if (!lease.hasEnded) observer.leaseLost('lost');
      const outcome = lease.hasEnded ? 'worker ended' : 'worker lost';
      log.info({ workerId: lease._id, queue: lost.queue, reason }, outcome);
    }
    if (held.length > 0) {
      const [worker] = lost ? [lost] : await workers.findMany([lease._id]);
      await requeueGrants.run(held, endError(lease, worker), 'system:lease');
    }
    await leases.remove(lease._id);
    // Its pilot may hold some of the jobs as another worker.
    if (lease.retained) await readHeld(lease.retained.map(({ jobId }) => jobId));
    ledger.retain(lease._id, []);
  }
}

/** Error of the jobs that a worker had at its end. */
function endError(lease: LeaseDocument, worker: WorkerDocument | undefined): StoredJobError {
  if (worker?.state === 'ENDED') return workerEnded(lease._id, worker.stateReason);
  return (lease.hasRestarted ? pilotRestarted : leaseLost)(lease._id, reasonOf(lease));
}

function reasonOf({ lostReason }: LeaseDocument): string {
  return lostReason ?? 'its lease ended';
}

/** Each grant once; those whose time is over are left out. */
function together(
  before: readonly RetainedJob[],
  added: readonly RetainedJob[],
  now: Date,
): readonly RetainedJob[] {
  const byFence = new Map([...before, ...added].map((job) => [job.fence, job]));
  return [...byFence.values()].filter(({ until }) => until > now);
}
