/**
 * The ledger of grants: which worker holds which job, and the resources this takes of workers, shares, owners
 * and queues. It is exact: every sum is kept from the entries alone, and an entry is added and released
 * exactly once in whatever order events arrive.
 */
import { heldStates, type JobState } from '../../jobs/model/job-state.js';
import type { StoredPreemption } from '../../jobs/model/job.types.js';
import { SetsByKey } from '../../shared/sets-by-key.js';
import type { Capacity, LedgerEntry } from '../scheduler.types.js';
import {
  type BookedDevice,
  type DeviceBooking,
  noBooking,
  type RetainedBooking,
} from './device-booking.types.js';
import { experimentOf } from './ready-windows.js';
import { addTo, countIn, nothing, type Sum, type Usage, usageOf } from './usage.js';

interface WorkerLedger {
  readonly sum: Sum;
  readonly jobs: Set<string>;
  /** Replaced on each change, so that caches of it stay valid while it is the same object. */
  devices: ReadonlyMap<string, BookedDevice>;
}

const rank = new Map<JobState, number>(heldStates.map((state, index) => [state, index]));

/** Entries of granted jobs, with sums by worker, share, owner, queue, and queue and experiment. */
export class Ledger {
  readonly #entries = new Map<string, LedgerEntry>();
  /** Grants that their workers have not begun: few of all. */
  readonly #sent = new Set<LedgerEntry>();
  readonly #byWorker = new Map<string, WorkerLedger>();
  /** Entries of preemptible jobs, by queue. */
  readonly #preemptible = new SetsByKey<LedgerEntry>();
  readonly #retained = new Map<string, RetainedBooking & { readonly workerId: string }>();
  readonly #retainedKeys = new Map<string, readonly string[]>();
  readonly #shares = new Map<string, Sum>();
  readonly #owners = new Map<string, Sum>();
  readonly #queues = new Map<string, Sum>();
  /** By queue and experiment. */
  readonly #queueExperiments = new Map<string, Sum>();
  /** Number of jobs by task. */
  readonly #tasks = new Map<string, number>();
  readonly #onReleased = new Set<(workerId: string, taskId?: string) => void>();

  /** Number of granted jobs. */
  get size(): number {
    return this.#entries.size;
  }

  /** Returns the entry of a job, or undefined if no worker holds it. */
  get(jobId: string): Readonly<LedgerEntry> | undefined {
    return this.#entries.get(jobId);
  }

  /** All entries. */
  entries(): IterableIterator<Readonly<LedgerEntry>> {
    return this.#entries.values();
  }

  /** Grants in the state SENT. */
  sent(): IterableIterator<Readonly<LedgerEntry>> {
    return this.#sent.values();
  }

  /** Ids of workers that hold jobs, or whose devices stay booked. */
  workers(): IterableIterator<string> {
    return this.#byWorker.keys();
  }

  /**
   * Adds a grant. It replaces an older entry of the same job (lower fence); the same or a newer one stays.
   * @returns true if it was added
   */
  add(entry: LedgerEntry): boolean {
    const known = this.#entries.get(entry.jobId);
    if (known) {
      if (known.fence >= entry.fence) return false;
      this.#remove(known);
    }
    this.#entries.set(entry.jobId, entry);
    if (entry.state === 'SENT') this.#sent.add(entry);
    this.#count(entry, 1);
    if (entry.requirements.preemptible) this.#preemptible.add(entry.queueId, entry);
    const worker = this.#worker(entry.workerId);
    worker.jobs.add(entry.jobId);
    this.#book(worker, entry.deviceIds, (jobs) => [...jobs, entry.jobId]);
    return true;
  }

  /** Sets the fence of a grant that was added before it was written. */
  confirm(jobId: string, fence: number): void {
    const entry = this.#entries.get(jobId);
    if (entry?.fence === Infinity) entry.fence = fence;
  }

  /**
   * Releases the grant that an event with this fence ended. A grant made after the event stays, so events may
   * come late, twice, or out of order. `Infinity` releases a grant whose write failed.
   * @returns the entry, or undefined if there was nothing to release
   */
  release(jobId: string, fence: number): Readonly<LedgerEntry> | undefined {
    const entry = this.#entries.get(jobId);
    if (!entry || entry.fence > fence) return undefined;
    this.#remove(entry);
    for (const listener of this.#onReleased) listener(entry.workerId, entry.taskId);
    return entry;
  }

  /**
   * Calls the listener with the worker, and the task, of each released grant. Returns a function that removes
   * the listener.
   */
  onReleased(listener: (workerId: string, taskId?: string) => void): () => void {
    this.#onReleased.add(listener);
    return () => this.#onReleased.delete(listener);
  }

  /** Replaces the entry of a job by one with the same or a newer fence, as read from the store. */
  replace(entry: LedgerEntry): void {
    const known = this.#entries.get(entry.jobId);
    if (known && known.fence !== Infinity && known.fence <= entry.fence) this.#remove(known);
    this.add(entry);
  }

  /**
   * Sets the devices of a worker that stay booked, also after its jobs were given away. A job that the worker
   * still holds under the same fence books its devices once.
   */
  retain(workerId: string, bookings: readonly RetainedBooking[]): void {
    const before = this.#retainedKeys.get(workerId) ?? [];
    const fresh = new Map(bookings.map((booking) => [retainedKey(booking), booking]));
    const removed = before.filter((key) => !fresh.has(key));
    for (const key of removed) this.#dropRetained(workerId, key);
    for (const [key, booking] of fresh) {
      if (this.#retained.has(key)) continue;
      this.#retained.set(key, { ...booking, workerId });
      this.#book(this.#worker(workerId), booking.deviceIds, (jobs) => [...jobs, key]);
    }
    if (fresh.size > 0) this.#retainedKeys.set(workerId, [...fresh.keys()]);
    else this.#retainedKeys.delete(workerId);
    if (removed.length > 0) for (const listener of this.#onReleased) listener(workerId);
  }

  /** Devices that stay booked, of all workers. */
  retainedBookings(): IterableIterator<RetainedBooking> {
    return this.#retained.values();
  }

  /** Sets the devices that stay booked of all workers. */
  retainOnly(all: readonly { readonly workerId: string; readonly jobs: readonly RetainedBooking[] }[]): void {
    const wanted = new Set(all.map(({ workerId }) => workerId));
    for (const workerId of [...this.#retainedKeys.keys()])
      if (!wanted.has(workerId)) this.retain(workerId, []);
    for (const { workerId, jobs } of all) this.retain(workerId, jobs);
  }

  /** Records the progress of a job; only forward, and only for the grant that the event refers to. */
  advance(jobId: string, fence: number, state: JobState): void {
    const entry = this.#entries.get(jobId);
    if (entry?.fence !== fence || (rank.get(state) ?? -1) <= (rank.get(entry.state) ?? -1)) return;
    entry.state = state;
    this.#sent.delete(entry);
  }

  /** Records that an attempt ends for another job. */
  announceEnd(jobId: string, fence: number, preemption: StoredPreemption): void {
    const entry = this.#entries.get(jobId);
    if (entry?.fence === fence) entry.preemption = preemption;
  }

  /** Returns true if workers of the queue hold preemptible jobs. */
  hasPreemptible(queueId: string): boolean {
    return this.#preemptible.has(queueId);
  }

  /** Entries of preemptible jobs that workers of the queue hold. */
  preemptible(queueId: string): ReadonlySet<Readonly<LedgerEntry>> {
    return this.#preemptible.of(queueId);
  }

  /** Records the declared outputs of a job. */
  recordOutputs(jobId: string, outputs: readonly string[]): void {
    const entry = this.#entries.get(jobId);
    if (entry) entry.outputs = outputs;
  }

  /** Resources of a worker that jobs use. */
  workerUse(workerId: string): Capacity & { readonly jobs: number } {
    return this.#byWorker.get(workerId)?.sum ?? nothing;
  }

  /** Ids of the jobs that a worker holds. */
  jobsOf(workerId: string): ReadonlySet<string> {
    return this.#byWorker.get(workerId)?.jobs ?? new Set();
  }

  /** Entries of the jobs that a worker holds. */
  entriesOf(workerId: string): readonly Readonly<LedgerEntry>[] {
    return [...this.jobsOf(workerId)].flatMap((jobId) => this.get(jobId) ?? []);
  }

  /** Job that holds a device; of several, the first. */
  deviceHolder(workerId: string, deviceId: string): string | undefined {
    const [first] = this.#byWorker.get(workerId)?.devices.get(deviceId)?.jobs ?? [];
    return first === undefined ? undefined : this.#jobOf(first);
  }

  /** Devices of a worker that jobs hold, each with the first of its jobs. */
  devicesOf(workerId: string): ReadonlyMap<string, string> {
    const devices = this.#byWorker.get(workerId)?.devices ?? [];
    return new Map([...devices].map(([id, { jobs }]) => [id, this.#jobOf(jobs[0] ?? '')]));
  }

  /**
   * Bookings of a worker's devices, by device; the same map until they change; undefined if there are none.
   */
  bookings(workerId: string): ReadonlyMap<string, DeviceBooking> | undefined {
    const devices = this.#byWorker.get(workerId)?.devices;
    return devices && devices.size > 0 ? devices : undefined;
  }

  /** Bookings of a worker's devices without those of some of its jobs; undefined if there are none. */
  bookingsWithout(
    workerId: string,
    without: { has(jobId: string): boolean },
  ): ReadonlyMap<string, DeviceBooking> | undefined {
    const left = new Map<string, DeviceBooking>();
    for (const [id, { jobs }] of this.#byWorker.get(workerId)?.devices ?? []) {
      const others = jobs.filter((jobId) => !without.has(jobId));
      if (others.length > 0) left.set(id, this.#booked(others));
    }
    return left.size > 0 ? left : undefined;
  }

  /** Booking of a device. */
  deviceUse(workerId: string, deviceId: string): DeviceBooking {
    return this.#byWorker.get(workerId)?.devices.get(deviceId) ?? noBooking;
  }

  /** Usage of a share. */
  shareUse(path: string): Usage {
    return usageOf(this.#shares.get(path));
  }

  /** Cores of a share that one owner uses. */
  ownerCores(path: string, owner: string): number {
    return this.#owners.get(ownerKey(path, owner))?.cores ?? 0;
  }

  /** Number of jobs that a queue's workers hold. */
  queueJobs(queueId: string): number {
    return this.#queues.get(queueId)?.jobs ?? 0;
  }

  /** Number of jobs of a task that workers hold. */
  taskJobs(taskId: string): number {
    return this.#tasks.get(taskId) ?? 0;
  }

  /** Usage of a queue's workers by the jobs of an experiment. */
  queueUse(queueId: string, experiment: string): Usage {
    return usageOf(this.#queueExperiments.get(`${queueId} ${experiment}`));
  }

  /** Removes all entries before they are read again from the store. */
  clear(): void {
    const sums = [this.#shares, this.#owners, this.#queues, this.#queueExperiments, this.#tasks];
    for (const map of [this.#entries, this.#byWorker, ...sums]) map.clear();
    this.#sent.clear();
    this.#preemptible.clear();
    this.#retained.clear();
    this.#retainedKeys.clear();
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
      const retained = this.#retained.get(job);
      if (retained && this.#entries.get(retained.jobId)?.fence === retained.fence) continue;
      const gpu = retained ?? this.#entries.get(job)?.requirements.gpu;
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
    this.#sent.delete(entry);
    if (entry.requirements.preemptible) this.#preemptible.delete(entry.queueId, entry);
    this.#count(entry, -1);
    const worker = this.#worker(entry.workerId);
    worker.jobs.delete(entry.jobId);
    this.#book(worker, entry.deviceIds, (jobs) => jobs.filter((jobId) => jobId !== entry.jobId));
    this.#forgetIdle(entry.workerId, worker);
  }

  #dropRetained(workerId: string, key: string): void {
    const booking = this.#retained.get(key);
    this.#retained.delete(key);
    const worker = this.#worker(workerId);
    this.#book(worker, booking?.deviceIds ?? [], (jobs) => jobs.filter((job) => job !== key));
    this.#forgetIdle(workerId, worker);
  }

  #forgetIdle(workerId: string, { jobs, devices }: WorkerLedger): void {
    if (jobs.size === 0 && devices.size === 0) this.#byWorker.delete(workerId);
  }

  #jobOf(bookedBy: string): string {
    return this.#retained.get(bookedBy)?.jobId ?? bookedBy;
  }

  #count(entry: LedgerEntry, sign: 1 | -1): void {
    addTo(this.#worker(entry.workerId).sum, entry, sign);
    countIn(this.#shares, entry.share, entry, sign);
    countIn(this.#owners, ownerKey(entry.share, entry.owner), entry, sign);
    countIn(this.#queues, entry.queueId, entry, sign);
    countIn(this.#queueExperiments, `${entry.queueId} ${experimentOf(entry.share)}`, entry, sign);
    this.#countTask(entry.taskId, sign);
  }

  #countTask(taskId: string | undefined, sign: 1 | -1): void {
    if (taskId === undefined) return;
    const jobs = this.taskJobs(taskId) + sign;
    if (jobs === 0) this.#tasks.delete(taskId);
    else this.#tasks.set(taskId, jobs);
  }
}

/** A job id contains no `@`. */
function retainedKey({ jobId, fence }: RetainedBooking): string {
  return `${jobId}@${fence}`;
}

/** A share's path contains no space, so the key is unique. */
function ownerKey(path: string, owner: string): string {
  return `${path} ${owner}`;
}
