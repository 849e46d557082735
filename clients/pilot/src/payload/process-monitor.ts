import { processesOf, type AttemptMark } from '../processes/attempt-processes.js';
import { EnvironmentMemory } from '../processes/environment-memory.js';
import { readProcessTable, type ProcessEntry } from '../processes/process-table.js';

/** What is told of each sample. */
export type OnSample = (entries: readonly ProcessEntry[]) => void;

interface Watched {
  readonly mark: AttemptMark;
  readonly onSample: OnSample;
}

/** Samples soon after the start, so that short payloads are seen too. */
const earlySamplesMs = [100, 400];

/** Samples the processes of all running attempts: one look at /proc a period, shared by all of them. */
export class ProcessMonitor {
  readonly #periodMs: number;
  /** What is known of environments; for others who look at the same processes. */
  readonly memory = new EnvironmentMemory();
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor(periodMs = 1000) {
    this.#periodMs = periodMs;
  }

  /** Tells of the attempt's processes from now on, until the returned function is called. */
  add(mark: AttemptMark, onSample: OnSample): () => void {
    const entry = { mark, onSample };
    this.#watched.add(entry);
    this.#timer ??= setInterval(() => this.#sample([...this.#watched]), this.#periodMs);
    const early = earlySamplesMs
      .filter((ms) => ms < this.#periodMs)
      .map((ms) => setTimeout(() => this.#sample([entry]), ms));
    return () => {
      early.forEach(clearTimeout);
      this.#watched.delete(entry);
      if (this.#watched.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #sample(attempts: readonly Watched[]): void {
    const table = readProcessTable();
    this.memory.keepOnly(table);
    for (const { mark, onSample } of attempts) onSample(processesOf(mark, table, this.memory.attemptOf));
  }
}
