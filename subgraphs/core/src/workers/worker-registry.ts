/**
 * The live workers as this process knows them: read at the start, then by notices of the event stream; and, lest one was missed, what changed
 * since by the store's clock.
 */
import type { Logger } from '@rhizome/log';
import type { WorkerFeed } from '../scheduler/cache/scheduler-cache.js';
import type { WorkersRepository } from './workers.repository.js';
import type { WorkerDocument } from './worker.types.js';
import type { WorkerFacts } from '../scheduler/worker-facts.types.js';

/** Two writes may become visible in another order than their times: what is this old is read again. */
const overlapMs = 5000;

/** See the head of this file. */
export class WorkerRegistry implements WorkerFeed {
  readonly #workers: Pick<WorkersRepository, 'findAllLive' | 'findChangedSince' | 'findMany'>;
  readonly #log: Logger;
  readonly #refreshMs: number;
  readonly #live = new Map<string, WorkerDocument>();
  readonly #listeners = new Set<(worker: WorkerFacts) => void>();
  #readUntil = new Date(0);
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;

  constructor(
    workers: Pick<WorkersRepository, 'findAllLive' | 'findChangedSince' | 'findMany'>,
    log: Logger,
    refreshMs = 5000,
  ) {
    this.#workers = workers;
    this.#log = log;
    this.#refreshMs = refreshMs;
  }

  /** Reads all live workers; from here on it follows. */
  async start(): Promise<void> {
    for (const worker of await this.#workers.findAllLive()) this.take(worker);
    this.#timer = setInterval(() => void this.refresh(), this.#refreshMs);
    this.#timer.unref();
  }

  /** Follows no more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#reading;
  }

  /** Reads what changed. Faults are logged: the next time reads it again. */
  async refresh(): Promise<void> {
    this.#reading ??= this.#workers
      .findChangedSince(new Date(this.#readUntil.getTime() - overlapMs))
      .then((found) => found.forEach((worker) => this.take(worker)))
      .catch((err: unknown) => this.#log.warn({ err }, 'changed workers could not be read'))
      .finally(() => (this.#reading = undefined));
    await this.#reading;
  }

  /** Reads workers of which a notice said that they changed. */
  async notice(workerIds: readonly string[]): Promise<void> {
    for (const worker of await this.#workers.findMany([...new Set(workerIds)])) this.take(worker);
  }

  /** Whether the worker lives, as far as this process knows. */
  isLive(workerId: string): boolean {
    return this.#live.has(workerId);
  }

  live(): Iterable<WorkerFacts> {
    return [...this.#live.values()].map(factsOf);
  }

  onChanged(listener: (worker: WorkerFacts) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A worker that lives, as far as this process knows; others are looked up, whatever became of them. */
  async find(workerId: string): Promise<WorkerDocument | undefined> {
    const known = this.#live.get(workerId);
    if (known) return known;
    const [found] = await this.#workers.findMany([workerId]);
    if (found) this.take(found);
    return found;
  }

  /** Takes in what this process wrote or read itself. An older revision than the one known is ignored. */
  take(worker: WorkerDocument): void {
    if (worker.updatedAt > this.#readUntil) this.#readUntil = worker.updatedAt;
    const known = this.#live.get(worker._id);
    if (known && known.revision >= worker.revision) return;
    const isLive = worker.state === 'READY' || worker.state === 'DRAINING';
    if (!known && !isLive) return;
    if (isLive) this.#live.set(worker._id, worker);
    else this.#live.delete(worker._id);
    for (const listener of this.#listeners) listener(factsOf(worker));
  }
}

function factsOf(worker: WorkerDocument): WorkerFacts {
  const { _id, queueId, host, name, version, state, stateReason, hardware, labels, devices, endsAt } = worker;
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
  };
}
