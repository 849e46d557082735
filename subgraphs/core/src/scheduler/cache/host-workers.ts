import type { FleetWorker } from './fleet.types.js';
import { hostKeyOf, type QueueHost } from './host-standing.types.js';

/** Workers by the host of a queue on which they run. */
export class HostWorkers<Worker extends FleetWorker> {
  readonly #workers = new Map<string, Set<Worker>>();

  /** Workers of a host of a queue. */
  of(host: QueueHost): Iterable<Worker> {
    return this.#workers.get(hostKeyOf(host)) ?? [];
  }

  add(worker: Worker): void {
    const key = keyOf(worker);
    const known = this.#workers.get(key);
    if (known) known.add(worker);
    else this.#workers.set(key, new Set([worker]));
  }

  remove(worker: Worker): void {
    const key = keyOf(worker);
    const known = this.#workers.get(key);
    known?.delete(worker);
    if (known?.size === 0) this.#workers.delete(key);
  }
}

function keyOf({ facts, shape }: FleetWorker): string {
  return hostKeyOf({ queue: shape.queue.name, host: facts.host });
}
