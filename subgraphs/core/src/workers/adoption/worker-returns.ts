/** Brings back workers whose lease has ended, when they call again. */
import { describePrincipal, type Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { isHeld } from '../../jobs/model/job-state.js';
import type { Ledger } from '../../scheduler/cache/ledger.js';
import type { AdoptableJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import { jobLost, type RequeueGrants } from '../../scheduler/dispatch/requeue-grants.js';
import type { LeasesRepository } from '../leases/leases.repository.js';
import type { UnreachableLeasesRepository } from '../leases/unreachable-leases.repository.js';
import type { WorkerRegistry } from '../worker-registry.js';
import type { HeldJob, LeaseTerms, WorkerDocument } from '../worker.types.js';
import type { WorkersRepository } from '../workers.repository.js';
import { isSamePrincipal } from './same-pilot.js';

/** Dependencies of {@link WorkerReturns}. */
export interface WorkerReturnsOptions {
  readonly leases: Pick<LeasesRepository, 'findTerms'>;
  readonly unreachable: Pick<UnreachableLeasesRepository, 'revive' | 'release'>;
  readonly workers: Pick<WorkersRepository, 'findMany' | 'returnToContact' | 'confirmReturn'>;
  readonly ledger: Pick<Ledger, 'jobsOf'>;
  readonly jobs: { adoptable(ids: readonly string[]): Promise<ReadonlyMap<string, AdoptableJob>> };
  readonly requeueGrants: Pick<RequeueGrants, 'run'>;
  readonly registry: Pick<WorkerRegistry, 'set'>;
  readonly queues: {
    byNames(
      names: readonly string[],
    ): Promise<readonly ({ readonly limits: { readonly leaseSeconds: number } } | undefined)[]>;
  };
  readonly log: Logger;
}

/** Revives leases of workers that return. */
export class WorkerReturns {
  readonly #options: WorkerReturnsOptions;

  constructor(options: WorkerReturnsOptions) {
    this.#options = options;
  }

  /**
   * Returns a worker that is in contact as it is, and brings an unreachable one back.
   * @returns the worker as it is then: LOST if it came too late
   * @throws DomainError FORBIDDEN if another principal registered the worker
   */
  async present(principal: Principal, worker: WorkerDocument): Promise<WorkerDocument> {
    return worker.state === 'UNREACHABLE' ? this.revive(principal, worker) : worker;
  }

  /** Brings back a worker whose lease has ended, as {@link present} does. */
  async revive(principal: Principal, worker: WorkerDocument): Promise<WorkerDocument> {
    if (!isSamePrincipal(principal, worker))
      throw new DomainError(
        'FORBIDDEN',
        `${describePrincipal(principal)} did not register worker ${JSON.stringify(worker._id)}, and may not bring it back`,
        { field: 'workerId', value: worker._id },
      );
    const { leases, unreachable, workers, registry, queues, log } = this.#options;
    const [queue] = await queues.byNames([worker.queue]);
    const isBack = await unreachable.revive(worker._id, queue?.limits.leaseSeconds ?? 30);
    const [lease] = isBack ? [] : await leases.findTerms([worker._id]);
    // The lease may be valid although the worker is not marked so: the leader may mark it late.
    const mayReturn = isBack || (lease !== undefined && !lease.lostAt);
    const returned = mayReturn ? await workers.returnToContact(worker._id) : null;
    const current = returned ?? (await workers.findMany([worker._id]))[0] ?? worker;
    registry.set(current);
    if (isBack) log.info({ workerId: worker._id, queue: worker.queue }, 'worker returned');
    return current;
  }

  /** Releases the devices of jobs that the worker no longer lists: their payloads have ended. */
  async releaseEnded({ _id, retained = [] }: LeaseTerms, held: readonly HeldJob[]): Promise<void> {
    const listed = new Set(held.map(({ fence }) => fence));
    const ended = retained.filter(({ fence }) => !listed.has(fence));
    await this.#options.unreachable.release(_id, ended);
  }

  /**
   * Requeues the jobs that a worker had when contact was lost, and that its first heartbeat afterwards does
   * not list: their payloads have ended without a report.
   */
  async settle(worker: WorkerDocument, held: readonly HeldJob[]): Promise<void> {
    const { returnedAt } = worker;
    if (!returnedAt) return;
    const { ledger, jobs, requeueGrants, workers, registry } = this.#options;
    const listed = new Set(held.map(({ id }) => id));
    const missing = [...ledger.jobsOf(worker._id)].filter((id) => !listed.has(id));
    if (missing.length > 0) {
      const found = [...(await jobs.adoptable(missing)).values()];
      const gone = found.filter(
        ({ state, workerId, attempts }) =>
          isHeld(state) && workerId === worker._id && (attempts.at(-1)?.sentAt ?? returnedAt) < returnedAt,
      );
      const grants = gone.map(({ _id, fence }) => ({ jobId: _id, fence }));
      await requeueGrants.run(grants, jobLost(worker._id, 'it returned without the job'), 'system:lease');
    }
    const settled = await workers.confirmReturn(worker._id);
    if (settled) registry.set(settled);
  }
}
