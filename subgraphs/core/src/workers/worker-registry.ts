/**
 * The live workers that this process knows: read at the start, and then by notices of the event stream. In
 * case a notice was missed, it also reads what changed since by the clock of the store.
 */
import type { Logger } from '@rhizome/log';
import type { WorkerFeed } from '../scheduler/cache/scheduler-cache.js';
import type { WorkersRepository } from './workers.repository.js';
import { openWorkerStates, type WorkerDocument } from './worker.types.js';
import type { WorkerFacts } from '../scheduler/worker-facts.types.js';

/**
 * Changes this recent are read again, because two writes may become visible in another order than their
 * times.
 */
const overlapMs = 5000;

/** Keeps the live workers in memory. */
export class WorkerRegistry implements WorkerFeed {
  readonly #workers: Pick<WorkersRepository, 'findAllOpen' | 'findChangedSince' | 'findMany'>;
  readonly #log: Logger;
  readonly #refreshMs: number;
  readonly #live = new Map<string, WorkerDocument>();
  readonly #unreachable = new Map<string, WorkerDocument>();
  readonly #listeners = new Set<(worker: WorkerFacts) => void>();
  #readUntil = new Date(0);
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;

  constructor(
    workers: Pick<WorkersRepository, 'findAllOpen' | 'findChangedSince' | 'findMany'>,
    log: Logger,
    refreshMs = 5000,
  ) {
    this.#workers = workers;
    this.#log = log;
    this.#refreshMs = refreshMs;
  }

  /** Reads all live workers, and follows changes from then on. */
  async start(): Promise<void> {
    for (const worker of await this.#workers.findAllOpen()) this.set(worker);
    this.#timer = setInterval(() => void this.refresh(), this.#refreshMs);
    this.#timer.unref();
  }

  /** Stops following changes. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reading;
  }

  /** Reads what changed. Errors are logged: the next read includes it. */
  async refresh(): Promise<void> {
    this.#reading ??= this.#workers
      .findChangedSince(new Date(this.#readUntil.getTime() - overlapMs))
      .then((found) => found.forEach((worker) => this.set(worker)))
      .catch((err: unknown) => this.#log.warn({ err }, 'changed workers could not be read'))
      .finally(() => (this.#reading = undefined));
    await this.#reading;
  }

  /** Reads workers whose change a notice reported. */
  async notice(workerIds: readonly string[]): Promise<void> {
    for (const worker of await this.#workers.findMany([...new Set(workerIds)])) this.set(worker);
  }

  /** True if this process knows the worker as live or unreachable. */
  isOpen(workerId: string): boolean {
    return this.#live.has(workerId) || this.#unreachable.has(workerId);
  }

  unreachable(): Iterable<WorkerFacts> {
    return [...this.#unreachable.values()].map(factsOf);
  }

  /** End of the lease of a worker, if this process knows it as unreachable. */
  unreachableSince(workerId: string): Date | undefined {
    return this.#unreachable.get(workerId)?.unreachableSince;
  }

  /** Number of workers that must send heartbeats. */
  countWorking(): number {
    return this.#live.size;
  }

  /** Number of workers that have not ended, by state. */
  countByState(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>(openWorkerStates.map((state) => [state, 0]));
    for (const workers of [this.#live, this.#unreachable])
      for (const { state } of workers.values()) counts.set(state, (counts.get(state) ?? 0) + 1);
    return counts;
  }

  live(): Iterable<WorkerFacts> {
    return [...this.#live.values()].map(factsOf);
  }

  onChanged(listener: (worker: WorkerFacts) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Returns the worker from memory if it is live, else from the store in whatever state. */
  async find(workerId: string): Promise<WorkerDocument | undefined> {
    const known = this.#live.get(workerId);
    if (known) return known;
    const [found] = await this.#workers.findMany([workerId]);
    if (found) this.set(found);
    return found;
  }

  /** Takes a worker that this process wrote or read. A revision older than the known one is ignored. */
  set(worker: WorkerDocument): void {
    if (worker.updatedAt > this.#readUntil) this.#readUntil = worker.updatedAt;
    const known = this.#live.get(worker._id) ?? this.#unreachable.get(worker._id);
    if (known && known.revision >= worker.revision) return;
    const isEnded = worker.state === 'ENDED' || worker.state === 'LOST';
    if (!known && isEnded) return;
    this.#live.delete(worker._id);
    this.#unreachable.delete(worker._id);
    if (!isEnded) (worker.state === 'UNREACHABLE' ? this.#unreachable : this.#live).set(worker._id, worker);
    for (const listener of this.#listeners) listener(factsOf(worker));
  }
}

function factsOf(worker: WorkerDocument): WorkerFacts {
  const { _id, queueId, host, name, version, state, stateReason, hardware, labels, devices, endsAt } = worker;
  const { keyThumbprint } = worker;
  return {
    id: _id,
    queueId,
    host,
    name,
    version,
    state,
    hardware,
    labels,
    devices,
    ...(stateReason === undefined ? {} : { stateReason }),
    ...(endsAt ? { endsAt } : {}),
    ...(keyThumbprint === undefined ? {} : { keyThumbprint }),
  };
}
