import { readAttemptId, type AttemptOf } from './attempt-processes.js';
import type { ProcessTable } from './process-table.js';

interface Remembered {
  readonly startTicks: number;
  readonly attemptId: string | undefined;
}

/**
 * Reads the environment of each process once. That is enough for a pilot: processes of its payloads have
 * their environment from the fork on, even before they execute anything.
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

  /** Forgets processes that are not in the table. */
  keepOnly(table: ProcessTable): void {
    for (const pid of this.#remembered.keys()) if (!table.has(pid)) this.#remembered.delete(pid);
  }
}
