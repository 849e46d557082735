/**
 * Hosts without GPUs that have no pending acquire and are expected to call soon: they have just been
 * answered, or one of their jobs has just ended. A job without GPUs is deferred for them instead of being
 * granted to a host with GPUs that happens to call first. The deferral is bounded: it lasts no longer than a
 * pilot pauses between two calls, the host gets the job when it calls, and no more jobs are deferred than fit
 * on these hosts.
 */
import type { AcquireRequest, Capacity } from '../scheduler.types.js';
import type { Ledger } from '../cache/ledger.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { FleetWorker } from '../cache/fleet.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import { QueueAllowance, type QueueSums } from './queue-limits.js';

/**
 * Time for which a host counts as idle, in milliseconds: a pilot with jobs pauses for at most 2 s between
 * calls.
 */
export const idleWindowMs = 2500;
/** Maximum number of hosts visited in one pass, counted for each class: beyond it nothing is deferred. */
const maxVisits = 20_000;

/** Latest facts of a recently idle host. */
interface IdleReport {
  readonly atMs: number;
  /** Capacity in its last request, minus the grants; left out if one of its jobs has ended since. */
  readonly free?: Capacity;
  readonly experiments?: readonly string[] | undefined;
  /** End of its remaining time in monotonic milliseconds; left out if unlimited or unknown. */
  readonly untilMs?: number | undefined;
}

/** Recently idle hosts by id, for the last few seconds only. */
export class RecentlyIdleHosts {
  /** Oldest report first. */
  readonly #reports = new Map<string, IdleReport>();

  /** Number of recently idle hosts. */
  get size(): number {
    return this.#reports.size;
  }

  /** Records that a request of a host was answered. @param request its offer, minus the grants */
  answered(request: AcquireRequest, atMs: number): void {
    this.#put(request.workerId, idleReportOf(request, atMs));
  }

  /** Records that the grants of a host have been written: from now on it counts as idle. */
  grantsWritten(workerId: string, atMs: number): void {
    const known = this.#reports.get(workerId);
    if (known) this.#put(workerId, { ...known, atMs });
  }

  /** Records that a job of a host has ended: it has more free capacity than in its last request. */
  released(workerId: string, atMs: number): void {
    const { experiments, untilMs } = this.#reports.get(workerId) ?? {};
    this.#put(workerId, { atMs, experiments, untilMs });
  }

  /** Returns the hosts that count as idle, with their latest report. */
  *at(nowMs: number): IterableIterator<readonly [string, IdleReport]> {
    for (const [id, report] of this.#reports) if (nowMs - report.atMs < idleWindowMs) yield [id, report];
  }

  #put(workerId: string, report: IdleReport): void {
    this.#reports.delete(workerId);
    this.#reports.set(workerId, report);
    for (const [id, { atMs }] of this.#reports) {
      if (report.atMs - atMs < idleWindowMs) break;
      this.#reports.delete(id);
    }
  }
}

/** An idle host with the capacity that is reserved for its next request. */
interface IdleHostCapacity extends Capacity {
  readonly worker: FleetWorker;
  readonly report: IdleReport;
}

/** Input of {@link ReservedForCpuHosts}. */
export interface IdleHostsView {
  readonly fleet: { readonly recentlyIdle: RecentlyIdleHosts; worker(id: string): FleetWorker | undefined };
  readonly ledger: Pick<Ledger, 'workerUse'> & QueueSums;
  readonly nowMs: number;
}

/** A host without GPUs that has had its part of this round: its remaining capacity is used in the next. */
export interface DeferredHost {
  readonly worker: FleetWorker;
  readonly capacity: Capacity;
  readonly request: AcquireRequest;
}

/** Capacity of idle hosts at one moment; capacity reserved for one class is not available to another. */
export class ReservedForCpuHosts {
  readonly #capacities: { -readonly [K in keyof IdleHostCapacity]: IdleHostCapacity[K] }[];
  readonly #nowMs: number;
  readonly #sums: QueueSums;
  readonly #allowances = new Map<string, QueueAllowance>();
  #visits = 0;

  /**
   * @param isWaiting returns true for hosts with a pending acquire, which are not idle
   * @param deferred hosts with a pending acquire that have capacity left for another round
   */
  constructor(
    { fleet, ledger, nowMs }: IdleHostsView,
    isWaiting: (workerId: string) => boolean = () => false,
    deferred: readonly DeferredHost[] = [],
  ) {
    this.#nowMs = nowMs;
    this.#sums = ledger;
    this.#capacities = [...fleet.recentlyIdle.at(nowMs)].flatMap(([id, report]) => {
      const worker = fleet.worker(id);
      if (worker?.facts.state !== 'READY' || worker.shape.hasDevices || isWaiting(id)) return [];
      const capacity = freeCapacity(worker, report, ledger);
      return capacity.cores > 0 ? [{ worker, report, ...capacity }] : [];
    });
    for (const { worker, capacity, request } of deferred) {
      const { cores, memoryMiB, diskMiB } = capacity;
      const report = idleReportOf(request, nowMs);
      this.#capacities.push({ worker, report, cores, memoryMiB, diskMiB });
    }
  }

  /** True if no host has reserved capacity. */
  get isEmpty(): boolean {
    return this.#capacities.length === 0;
  }

  /**
   * Reserves capacity for at most `jobs` jobs of the class. @returns the number of jobs that fit, and the
   * number of their hosts
   */
  reserve(
    cls: RequirementClass,
    experiment: string,
    jobs: number,
  ): { readonly jobs: number; readonly hosts: number } {
    const { cores, memoryMiB, diskMiB } = cls.requirements;
    let [kept, hosts] = [0, 0];
    for (const capacity of this.#capacities) {
      if (kept >= jobs || this.#visits >= maxVisits) break;
      this.#visits += 1;
      if (!this.#mayTake(capacity, cls, experiment)) continue;
      const byMemory = Math.min(
        capacity.memoryMiB / memoryMiB,
        diskMiB > 0 ? capacity.diskMiB / diskMiB : Infinity,
      );
      const fits = Math.min(jobs - kept, Math.floor(Math.min(capacity.cores / cores, byMemory)));
      if (fits <= 0) continue;
      kept += fits;
      hosts += 1;
      capacity.cores -= fits * cores;
      capacity.memoryMiB -= fits * memoryMiB;
      capacity.diskMiB -= fits * diskMiB;
    }
    return { jobs: kept, hosts };
  }

  #allowanceOf(queue: QueueFacts): QueueAllowance {
    let allowance = this.#allowances.get(queue.id);
    if (!allowance) this.#allowances.set(queue.id, (allowance = new QueueAllowance(queue, this.#sums)));
    return allowance;
  }

  #mayTake({ worker, report }: IdleHostCapacity, cls: RequirementClass, experiment: string): boolean {
    const admits = worker.shape.queue.experiments;
    if (admits.length > 0 && !admits.includes(experiment)) return false;
    if (report.experiments?.includes(experiment) === false) return false;
    if (!this.#allowanceOf(worker.shape.queue).admits(experiment, cls)) return false;
    const { untilMs = Infinity } = report;
    return this.#nowMs + cls.requirements.walltimeSeconds * 1000 <= untilMs && worker.fits(cls);
  }
}

function idleReportOf({ free, experiments, remainingSeconds }: AcquireRequest, atMs: number): IdleReport {
  const untilMs = remainingSeconds === undefined ? undefined : atMs + remainingSeconds * 1000;
  return { atMs, free, experiments, untilMs };
}

function freeCapacity(
  { facts }: FleetWorker,
  { free }: IdleReport,
  ledger: IdleHostsView['ledger'],
): Capacity {
  const used = ledger.workerUse(facts.id);
  const left = (name: keyof Capacity): number =>
    Math.min(free?.[name] ?? Infinity, facts.hardware[name] - used[name]);
  return { cores: left('cores'), memoryMiB: left('memoryMiB'), diskMiB: left('diskMiB') };
}
