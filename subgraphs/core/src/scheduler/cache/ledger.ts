/**
 * The ledger of grants: which job is in whose hands, and what that takes of workers, shares, owners and queues. It is exact: every sum is
 * kept from the entries alone, and an entry is added and released exactly once in whatever order events arrive.
 */
import { heldStates, type JobState } from '../../jobs/model/job-state.js';
import type { Capacity, LedgerEntry } from '../scheduler.types.js';

/** What one share uses now. */
export interface Usage {
  readonly cores: number;
  readonly memoryMiB: number;
  /** Whole GPUs: a MIG slice counts as its part of its device. */
  readonly gpus: number;
  readonly jobs: number;
}

/** What of a device is given to jobs. */
export interface DeviceBooking {
  /** 1000 for a job that has it alone. */
  readonly thousandths: number;
  /** Memory that shares of it name; what is left out there goes with the thousandths. */
  readonly memoryMiB: number;
  /** Thousandths of shares that name no memory. */
  readonly unnamedThousandths: number;
  /** Whether its job wants nothing else on the same physical GPU. */
  readonly isExclusive: boolean;
}

interface Sum {
  cores: number;
  memoryMiB: number;
  diskMiB: number;
  /** In micro-GPUs: whole numbers, so that what is added and taken away again leaves nothing. */
  microGpus: number;
  jobs: number;
}

interface WorkerLedger {
  readonly sum: Sum;
  readonly jobs: Set<string>;
  /** Another map with each change, so that what was made of one holds as long as it is the same. */
  devices: ReadonlyMap<string, BookedDevice>;
}

interface BookedDevice extends DeviceBooking {
  /** The first first. */
  readonly jobs: readonly string[];
}

const microPerGpu = 1_000_000;
const nothing: Readonly<Sum> = Object.freeze({ cores: 0, memoryMiB: 0, diskMiB: 0, microGpus: 0, jobs: 0 });
const noBooking: DeviceBooking = { thousandths: 0, memoryMiB: 0, unnamedThousandths: 0, isExclusive: false };
const rank = new Map<JobState, number>(heldStates.map((state, index) => [state, index]));

/** See the head of this file. */
export class Ledger {
  readonly #entries = new Map<string, LedgerEntry>();
  readonly #byWorker = new Map<string, WorkerLedger>();
  readonly #shares = new Map<string, Sum>();
  readonly #owners = new Map<string, Sum>();
  readonly #queues = new Map<string, Sum>();
  readonly #onReleased = new Set<(workerId: string) => void>();

  /** Number of jobs in workers' hands. */
  get size(): number {
    return this.#entries.size;
  }

  /** The entry of a job, or undefined if no worker holds it. */
  get(jobId: string): Readonly<LedgerEntry> | undefined {
    return this.#entries.get(jobId);
  }

  /** All entries. */
  entries(): IterableIterator<Readonly<LedgerEntry>> {
    return this.#entries.values();
  }

  /**
   * Puts a grant down. An older entry of the same job (lower fence) is replaced; the same or a newer one stays.
   * @returns whether it was put down
   */
  add(entry: LedgerEntry): boolean {
    const known = this.#entries.get(entry.jobId);
    if (known) {
      if (known.fence >= entry.fence) return false;
      this.#remove(known);
    }
    this.#entries.set(entry.jobId, entry);
    this.#count(entry, 1);
    const worker = this.#worker(entry.workerId);
    worker.jobs.add(entry.jobId);
    this.#book(worker, entry.deviceIds, (jobs) => [...jobs, entry.jobId]);
    return true;
  }

  /** Gives a grant that was put down unwritten its fence. */
  confirm(jobId: string, fence: number): void {
    const entry = this.#entries.get(jobId);
    if (entry?.fence === Infinity) entry.fence = fence;
  }

  /**
   * Releases what an event with this fence ended. A grant that was made after the event stays, so events may come late, twice, or out of
   * order. `Infinity` releases a grant whose write failed.
   * @returns the entry, or undefined if there was nothing to release
   */
  release(jobId: string, fence: number): Readonly<LedgerEntry> | undefined {
    const entry = this.#entries.get(jobId);
    if (!entry || entry.fence > fence) return undefined;
    this.#remove(entry);
    for (const listener of this.#onReleased) listener(entry.workerId);
    return entry;
  }

  /** Calls the listener with the worker of each grant that is taken back; returns how to stop. */
  onReleased(listener: (workerId: string) => void): () => void {
    this.#onReleased.add(listener);
    return () => this.#onReleased.delete(listener);
  }

  /** Notes how far the job is; only forward, and only for the grant that the event is about. */
  advance(jobId: string, fence: number, state: JobState): void {
    const entry = this.#entries.get(jobId);
    if (entry?.fence === fence && (rank.get(state) ?? -1) > (rank.get(entry.state) ?? -1))
      entry.state = state;
  }

  /** Notes the declared outputs of a job. */
  noteOutputs(jobId: string, outputs: readonly string[]): void {
    const entry = this.#entries.get(jobId);
    if (entry) entry.outputs = outputs;
  }

  /** What jobs take of a worker. */
  workerUse(workerId: string): Capacity & { readonly jobs: number } {
    return this.#byWorker.get(workerId)?.sum ?? nothing;
  }

  /** Ids of the jobs that a worker has. */
  jobsOf(workerId: string): ReadonlySet<string> {
    return this.#byWorker.get(workerId)?.jobs ?? new Set();
  }

  /** The job that a device is given to; of several, the first. */
  deviceHolder(workerId: string, deviceId: string): string | undefined {
    return this.#byWorker.get(workerId)?.devices.get(deviceId)?.jobs[0];
  }

  /** Devices of a worker that are given away, with the first of their jobs. */
  devicesOf(workerId: string): ReadonlyMap<string, string> {
    const devices = this.#byWorker.get(workerId)?.devices ?? [];
    return new Map([...devices].map(([id, { jobs }]) => [id, jobs[0] ?? '']));
  }

  /** What of a worker's devices is given to jobs, by device; the same map until that changes. Undefined: nothing. */
  bookings(workerId: string): ReadonlyMap<string, DeviceBooking> | undefined {
    const devices = this.#byWorker.get(workerId)?.devices;
    return devices && devices.size > 0 ? devices : undefined;
  }

  /** What of a device is given to jobs. */
  deviceUse(workerId: string, deviceId: string): DeviceBooking {
    return this.#byWorker.get(workerId)?.devices.get(deviceId) ?? noBooking;
  }

  /** What a share uses. */
  shareUse(path: string): Usage {
    const { cores, memoryMiB, microGpus, jobs } = this.#shares.get(path) ?? nothing;
    return { cores, memoryMiB, gpus: microGpus / microPerGpu, jobs };
  }

  /** Cores that one owner uses of a share. */
  ownerCores(path: string, owner: string): number {
    return this.#owners.get(ownerKey(path, owner))?.cores ?? 0;
  }

  /** Jobs in the hands of a queue's workers. */
  queueJobs(queueId: string): number {
    return this.#queues.get(queueId)?.jobs ?? 0;
  }

  /** Forgets everything, for a new start from the store. */
  clear(): void {
    for (const map of [this.#entries, this.#byWorker, this.#shares, this.#owners, this.#queues]) map.clear();
  }

  #worker(workerId: string): WorkerLedger {
    let worker = this.#byWorker.get(workerId);
    if (!worker) {
      worker = { sum: { ...nothing }, jobs: new Set(), devices: new Map() };
      this.#byWorker.set(workerId, worker);
    }
    return worker;
  }

  #book(
    worker: WorkerLedger,
    deviceIds: readonly string[],
    change: (jobs: readonly string[]) => readonly string[],
  ): void {
    if (deviceIds.length === 0) return;
    const devices = new Map(worker.devices);
    for (const deviceId of deviceIds) {
      const jobs = change(devices.get(deviceId)?.jobs ?? []);
      if (jobs.length === 0) devices.delete(deviceId);
      else devices.set(deviceId, this.#booked(jobs));
    }
    worker.devices = devices;
  }

  #booked(jobs: readonly string[]): BookedDevice {
    let [thousandths, memoryMiB, unnamedThousandths, isExclusive] = [0, 0, 0, false];
    for (const job of jobs) {
      const gpu = this.#entries.get(job)?.requirements.gpu;
      const part = gpu?.share ?? 1000;
      thousandths += part;
      if (gpu?.shareMemoryMiB === undefined) unnamedThousandths += part;
      else memoryMiB += gpu.shareMemoryMiB;
      isExclusive ||= gpu?.exclusive === true;
    }
    return { jobs, thousandths, memoryMiB, unnamedThousandths, isExclusive };
  }

  #remove(entry: LedgerEntry): void {
    this.#entries.delete(entry.jobId);
    this.#count(entry, -1);
    const worker = this.#worker(entry.workerId);
    worker.jobs.delete(entry.jobId);
    this.#book(worker, entry.deviceIds, (jobs) => jobs.filter((jobId) => jobId !== entry.jobId));
    if (worker.jobs.size === 0) this.#byWorker.delete(entry.workerId);
  }

  #count(entry: LedgerEntry, sign: 1 | -1): void {
    addTo(this.#worker(entry.workerId).sum, entry, sign);
    countIn(this.#shares, entry.share, entry, sign);
    countIn(this.#owners, ownerKey(entry.share, entry.owner), entry, sign);
    countIn(this.#queues, entry.queueId, entry, sign);
  }
}

/** Sums of which nothing is left are forgotten. */
function countIn(sums: Map<string, Sum>, key: string, entry: LedgerEntry, sign: 1 | -1): void {
  let sum = sums.get(key);
  if (!sum) sums.set(key, (sum = { ...nothing }));
  addTo(sum, entry, sign);
  if (sum.jobs === 0) sums.delete(key);
}

function addTo(sum: Sum, { requirements, gpus = 0 }: LedgerEntry, sign: 1 | -1): void {
  sum.cores += sign * requirements.cores;
  sum.memoryMiB += sign * requirements.memoryMiB;
  sum.diskMiB += sign * requirements.diskMiB;
  sum.microGpus += sign * Math.round(gpus * microPerGpu);
  sum.jobs += sign;
}

/** A share's path has no space, so that the two cannot be taken for another pair. */
function ownerKey(path: string, owner: string): string {
  return `${path} ${owner}`;
}
