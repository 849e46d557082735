/**
 * Closes workers whose leases ended. Each second the leader looks for leases that have ended by the lease
 * clock, closes them, and requeues their jobs. It also requeues jobs that heartbeats of their workers do not
 * list: the worker never received the grant, or no longer has the job.
 */
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { forEachConcurrently } from '@rhizome/retry';
import type { Ledger } from '../../scheduler/cache/ledger.js';
import {
  grantLost,
  type GrantRef,
  jobLost,
  leaseLost,
  type RequeueGrants,
} from '../../scheduler/dispatch/requeue-grants.js';
import type { WorkObserver } from '../../shared/work-observer.js';
import type { LeaseCheck, LeaseClock } from '../lease-clock/lease-clock.js';
import { LeaseEnds } from './lease-ends.js';
import type { LeasesRepository } from './leases.repository.js';
import { UnlistedJobs } from './unlisted-jobs.js';
import type { UnreachableLeasesRepository } from './unreachable-leases.repository.js';
import type { WorkerRegistry } from '../worker-registry.js';
import type { LeaseDocument } from '../worker.types.js';
import type { WorkersRepository } from '../workers.repository.js';

/** Dependencies of {@link LeaseWatch}. */
export interface LeaseWatchOptions {
  readonly observer: Pick<WorkObserver, 'leaseLost'>;
  readonly leases: LeasesRepository;
  readonly leaseClock: Pick<LeaseClock, 'start' | 'stop' | 'loseEnded'>;
  readonly unreachable: UnreachableLeasesRepository;
  readonly workers: WorkersRepository;
  readonly registry: WorkerRegistry;
  /** True while this process leads and its ledger is exact. */
  readonly isLeading: () => boolean;
  readonly ledger: Pick<
    Ledger,
    'sent' | 'workers' | 'entriesOf' | 'retain' | 'retainOnly' | 'retainedBookings'
  >;
  /** Reads jobs that workers hold into the ledger. */
  readonly readHeld: (jobIds: readonly string[]) => Promise<void>;
  readonly requeueGrants: RequeueGrants;
  readonly clock: Clock;
  readonly log: Logger;
  readonly scanMs?: number;
  /** Time after which a grant must appear in heartbeats, in milliseconds. */
  readonly graceMs?: number;
}

/** Most leases followed up in one scan. */
const maxLost = 200;
/** Leases that are followed up at once. */
const closingAtOnce = 16;
/** Losses by processes of an earlier version are rare, and all lost leases are read to find them. */
const formerLossesMs = 30_000;

/** Watches the leases of workers while this process leads. */
export class LeaseWatch {
  readonly #options: LeaseWatchOptions;
  readonly #ends: LeaseEnds;
  readonly #unlisted: UnlistedJobs;
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<LeaseCheck | undefined> | undefined;
  #followingUp: Promise<unknown> | undefined;
  #isStopped = false;
  #formerLossesAt = -Infinity;

  constructor(options: LeaseWatchOptions) {
    this.#options = options;
    this.#ends = new LeaseEnds(options);
    this.#unlisted = new UnlistedJobs(options);
  }

  /** Scans each second while this process leads. */
  start(): void {
    this.#isStopped = false;
    this.#options.leaseClock.start();
    this.#timer = setInterval(() => {
      if (this.#options.isLeading()) void this.scan();
    }, this.#options.scanMs ?? 1000);
    this.#timer.unref();
  }

  /** Stops scanning, and waits for a scan under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#isStopped = true;
    await Promise.all([this.#checking, this.#followingUp]);
    this.#options.leaseClock.stop();
  }

  /**
   * Moves the lease clock on, and then follows up. Neither overlaps with itself. The clock does not wait for
   * a follow-up that takes long: it would take that for a pause. Errors are logged: the next scan continues
   * where this one stopped.
   */
  async scan(): Promise<void> {
    this.#checking ??= this.#logged(this.#options.leaseClock.loseEnded()).finally(
      () => (this.#checking = undefined),
    );
    const check = await this.#checking;
    if (!check || this.#isStopped) return;
    this.#followingUp ??= this.#logged(this.#followUp(check)).finally(() => (this.#followingUp = undefined));
    await this.#followingUp;
  }

  /** @returns undefined if the work failed */
  async #logged<T>(work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (err) {
      this.#options.log.warn({ err }, 'leases of workers could not be scanned');
      return undefined;
    }
  }

  /** Asks the store only where the check has found something to do: at rest, it has nothing. */
  async #followUp({ hasDue, hasRetained }: LeaseCheck): Promise<void> {
    const { leases, ledger } = this.#options;
    const hasFormer = await this.#finishFormerLosses();
    if (hasDue || hasFormer) await this.#close(await leases.findLost(maxLost));
    const [booked] = ledger.retainedBookings();
    if (hasRetained || booked) await this.#releaseRetained();
    await this.#requeueUnknown();
    await this.#requeueUnlisted();
  }

  /** @returns true if there were any */
  async #finishFormerLosses(): Promise<boolean> {
    const { leases, clock } = this.#options;
    const now = clock.monotonicMs();
    if (now < this.#formerLossesAt + formerLossesMs) return false;
    const hasFormer = await leases.finishFormerLosses();
    this.#formerLossesAt = now;
    return hasFormer;
  }

  /** Begins no more after the first error, and waits for those under way. */
  async #close(lost: readonly LeaseDocument[]): Promise<void> {
    const errors: unknown[] = [];
    await forEachConcurrently(lost, closingAtOnce, async (lease) => {
      if (errors.length > 0) return;
      await this.#ends.close(lease).catch((err: unknown) => errors.push(err));
    });
    if (errors.length > 0) throw errors[0];
  }

  /**
   * Takes over from the store which devices stay booked: any process releases those of workers that return.
   * The ledger may not know yet that such a worker holds its job again: it reads that first.
   */
  async #releaseRetained(): Promise<void> {
    const { unreachable, ledger, readHeld, clock } = this.#options;
    const now = clock.now();
    const retained = await unreachable.retained();
    for (const { workerId, jobs } of retained)
      await unreachable.release(
        workerId,
        jobs.filter(({ until }) => until <= now),
      );
    const booked = retained.map((worker) => ({
      ...worker,
      jobs: worker.jobs.filter(({ until }) => until > now),
    }));
    const kept = new Set(booked.flatMap(({ jobs }) => jobs.map(({ fence }) => fence)));
    const released = [...ledger.retainedBookings()].filter(({ fence }) => !kept.has(fence));
    if (released.length > 0) await readHeld(released.map(({ jobId }) => jobId));
    ledger.retainOnly(booked);
  }

  /**
   * Requeues jobs whose worker has no lease: the last leader was interrupted, or a grant was written while
   * its worker was closed.
   */
  async #requeueUnknown(): Promise<void> {
    const { ledger, leases, requeueGrants, registry } = this.#options;
    const unknown = new Map<string, GrantRef[]>();
    for (const workerId of ledger.workers()) {
      if (registry.isOpen(workerId)) continue;
      const grants = ledger
        .entriesOf(workerId)
        .flatMap(({ jobId, fence }) => (fence === Infinity ? [] : [{ jobId, fence }]));
      if (grants.length > 0) unknown.set(workerId, grants);
    }
    if (unknown.size === 0) return;
    const leased = new Set((await leases.findMany([...unknown.keys()])).map(({ _id }) => _id));
    for (const [workerId, grants] of unknown) {
      if (!leased.has(workerId))
        await requeueGrants.run(grants, leaseLost(workerId, 'it has no lease'), 'system:lease');
    }
  }

  async #requeueUnlisted(): Promise<void> {
    const { requeueGrants, log } = this.#options;
    const grants = await this.#unlisted.grants();
    if (grants.length > 0) {
      log.warn({ jobs: grants.length }, 'grants unknown to their workers revoked');
      const error = grantLost('it does not list the job among those it holds');
      await requeueGrants.run(grants, error, 'system:lease');
    }
    for (const [workerId, jobs] of await this.#unlisted.begun()) {
      log.warn({ workerId, jobs: jobs.length }, 'jobs that their worker no longer lists requeued');
      await requeueGrants.run(
        jobs,
        jobLost(workerId, 'several heartbeats in a row did not list it'),
        'system:lease',
      );
    }
  }
}
