import { readAttemptId, type AttemptOf } from './attempt-processes.js';
import type { ProcessTable } from './process-table.js';

interface Remembered {
  readonly startTicks: number;
  readonly attemptId: string | undefined;
}

/**
 * Looks at the environment of a process once in its life. That is enough for a pilot: what its payloads start has their environment from the
 * fork on, also before it executes anything.
 */
export class EnvironmentMemory {
  readonly #read: AttemptOf;
  #remembered = new Map<number, Remembered>();

  constructor(look: AttemptOf = readAttemptId) {
    this.#read = look;
  }

  readonly attemptOf: AttemptOf = (entry) => {
    const known = this.#remembered.get(entry.pid);
    if (known?.startTicks === entry.startTicks) return known.attemptId;
    const attemptId = this.#read(entry);
    this.#remembered.set(entry.pid, { startTicks: entry.startTicks, attemptId });
    return attemptId;
  };

  /** Forgets all that is not in the table. */
  keepOnly(table: ProcessTable): void {
    for (const pid of this.#remembered.keys()) if (!table.has(pid)) this.#remembered.delete(pid);
  }
}
