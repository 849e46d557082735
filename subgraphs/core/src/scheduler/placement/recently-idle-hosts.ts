/**
 * Hosts without GPUs that do not ask for work at this moment and are about to: they have just been answered, or a job of theirs has just
 * ended. A job without GPUs is deferred for them instead of given to a host with GPUs that happens to ask first. The deferral is bounded:
 * it lasts no longer than a pilot pauses between two requests, the host gets the job when it asks, and no more jobs are deferred than fit
 * on these hosts.
 */
import type { AcquireRequest, Capacity } from '../scheduler.types.js';
import type { Ledger } from '../cache/ledger.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { FleetWorker } from '../cache/fleet.types.js';

/** How long a host is waited for: a pilot with jobs pauses for 2 s at most before it asks again. */
export const idleWindowMs = 2500;
/** Hosts looked at in one pass, counted once for each class that looks: beyond them nothing is deferred. */
const maxLooks = 20_000;

/** What is known of a recently idle host. */
interface IdleReport {
  readonly atMs: number;
  /** What it asked for last, less what it was given; left out where a job of it has ended since. */
  readonly free?: Capacity;
  readonly experiments?: readonly string[] | undefined;
  /** Monotonic milliseconds until which it has time; left out: without limit, or not known. */
  readonly untilMs?: number | undefined;
}

/** Recently idle hosts by id: see the head of this file. Holds the last moments only. */
export class RecentlyIdleHosts {
  /** The oldest report first. */
  readonly #heard = new Map<string, IdleReport>();

  /** Number of recently idle hosts. */
  get size(): number {
    return this.#heard.size;
  }

  /** A request of a host was answered. @param request what it asked for, less what it was granted */
  answered(request: AcquireRequest, atMs: number): void {
    this.#put(request.workerId, idleReportOf(request, atMs));
  }

  /** The grants of a host have been written: from now on it counts as idle. */
  grantsWritten(workerId: string, atMs: number): void {
    const known = this.#heard.get(workerId);
    if (known) this.#put(workerId, { ...known, atMs });
  }

  /** A job of a host has ended: it has more free capacity than its last request said. */
  released(workerId: string, atMs: number): void {
    const { experiments, untilMs } = this.#heard.get(workerId) ?? {};
    this.#put(workerId, { atMs, experiments, untilMs });
  }

  /** The hosts that count as idle, with their latest report. */
  *at(nowMs: number): IterableIterator<readonly [string, IdleReport]> {
    for (const [id, heard] of this.#heard) if (nowMs - heard.atMs < idleWindowMs) yield [id, heard];
  }

  #put(workerId: string, heard: IdleReport): void {
    this.#heard.delete(workerId);
    this.#heard.set(workerId, heard);
    for (const [id, { atMs }] of this.#heard) {
      if (heard.atMs - atMs < idleWindowMs) break;
      this.#heard.delete(id);
    }
  }
}

/** An idle host with the capacity that is reserved for its next request. */
interface IdleHostCapacity extends Capacity {
  readonly worker: FleetWorker;
  readonly heard: IdleReport;
}

/** What {@link ReservedForCpuHosts} looks at. */
export interface IdleHostsView {
  readonly fleet: { readonly recentlyIdle: RecentlyIdleHosts; worker(id: string): FleetWorker | undefined };
  readonly ledger: Pick<Ledger, 'workerUse' | 'queueJobs'>;
  readonly nowMs: number;
}

/** A host without GPUs that has had its part of this round: its remaining capacity is used in the next. */
export interface DeferredHost {
  readonly worker: FleetWorker;
  readonly capacity: Capacity;
  readonly request: AcquireRequest;
}

/** The capacity of idle hosts at one moment; what is reserved for one class is not there for another. */
export class ReservedForCpuHosts {
  readonly #capacities: { -readonly [K in keyof IdleHostCapacity]: IdleHostCapacity[K] }[];
  readonly #nowMs: number;
  #looks = 0;

  /**
   * @param isWaiting hosts that ask at this moment are not idle
   * @param deferred hosts that ask, and still have capacity for another round
   */
  constructor(
    { fleet, ledger, nowMs }: IdleHostsView,
    isWaiting: (workerId: string) => boolean = () => false,
    deferred: readonly DeferredHost[] = [],
  ) {
    this.#nowMs = nowMs;
    this.#capacities = [...fleet.recentlyIdle.at(nowMs)].flatMap(([id, heard]) => {
      const worker = fleet.worker(id);
      if (worker?.facts.state !== 'READY' || worker.shape.hasDevices || isWaiting(id)) return [];
      const { maxRunningJobs } = worker.shape.queue.limits;
      if (maxRunningJobs !== undefined && ledger.queueJobs(worker.facts.queueId) >= maxRunningJobs) return [];
      const capacity = freeCapacity(worker, heard, ledger);
      return capacity.cores > 0 ? [{ worker, heard, ...capacity }] : [];
    });
    for (const { worker, capacity, request } of deferred) {
      const { cores, memoryMiB, diskMiB } = capacity;
      const heard = idleReportOf(request, nowMs);
      this.#capacities.push({ worker, heard, cores, memoryMiB, diskMiB });
    }
  }

  /** Whether no host has reserved capacity. */
  get isEmpty(): boolean {
    return this.#capacities.length === 0;
  }

  /** Reserves capacity for at most `jobs` jobs of the class. @returns how many fit, and on how many hosts */
  reserve(
    cls: RequirementClass,
    experiment: string,
    jobs: number,
  ): { readonly jobs: number; readonly hosts: number } {
    const { cores, memoryMiB, diskMiB } = cls.requirements;
    let [kept, hosts] = [0, 0];
    for (const capacity of this.#capacities) {
      if (kept >= jobs || this.#looks >= maxLooks) break;
      this.#looks += 1;
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

  #mayTake({ worker, heard }: IdleHostCapacity, cls: RequirementClass, experiment: string): boolean {
    const admits = worker.shape.queue.experiments;
    if (admits.length > 0 && !admits.includes(experiment)) return false;
    if (heard.experiments?.includes(experiment) === false) return false;
    const { untilMs = Infinity } = heard;
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
