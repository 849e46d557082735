import { watch, type FSWatcher } from 'node:fs';
import { processesOf, type AttemptMark } from '../processes/attempt-processes.js';
import { EnvironmentMemory } from '../processes/environment-memory.js';
import { readProcessTable, type ProcessEntry } from '../processes/process-table.js';
import { sharedMemoryFolder } from './shared-memory-files.js';

/** Called with the processes of an attempt, as one sample found them. */
export type OnSample = (entries: readonly ProcessEntry[]) => void;

interface Watched {
  readonly mark: AttemptMark;
  readonly onSample: OnSample;
}

/** Samples soon after the start, so that short payloads are seen too. */
const earlySamplesMs = [100, 400];
/** Samples for changes in `/dev/shm` are at least this far apart, and take at most this share of the time. */
const changeGapMs = 100;
const maxChangeShare = 0.05;

/** Samples the processes of all running attempts: it reads /proc once per period for all of them. */
export class ProcessMonitor {
  readonly #periodMs: number;
  /** The attempt ids found in environments; shared with other readers of the same processes. */
  readonly memory = new EnvironmentMemory();
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;
  #changes: FSWatcher | undefined;
  #changeTimer: NodeJS.Timeout | undefined;
  #nextChangeMs = 0;

  constructor(periodMs = 1000) {
    this.#periodMs = periodMs;
  }

  /** Reports the attempt's processes from now on, until the returned function is called. */
  add(mark: AttemptMark, onSample: OnSample): () => void {
    const entry = { mark, onSample };
    this.#watched.add(entry);
    this.#timer ??= setInterval(() => this.#sampleAll(), this.#periodMs);
    this.#changes ??= this.#watchSharedMemory();
    const early = earlySamplesMs
      .filter((ms) => ms < this.#periodMs)
      .map((ms) => setTimeout(() => this.#sample([entry]), ms));
    return () => {
      early.forEach(clearTimeout);
      this.#watched.delete(entry);
      if (this.#watched.size === 0) this.#stop();
    };
  }

  #stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#changeTimer);
    this.#changes?.close();
    this.#timer = this.#changes = this.#changeTimer = undefined;
  }

  /**
   * The owner of a file in `/dev/shm` can be found only while a process has it open, so changes trigger a
   * sample.
   */
  #watchSharedMemory(): FSWatcher | undefined {
    try {
      const watcher = watch(sharedMemoryFolder, { persistent: false }, () => this.#onChange());
      return watcher.on('error', () => watcher.close());
    } catch {
      // The folder does not exist, or the host has no watches left: the regular samples remain.
      return undefined;
    }
  }

  #onChange(): void {
    this.#changeTimer ??= setTimeout(
      () => {
        this.#changeTimer = undefined;
        const before = performance.now();
        this.#sampleAll();
        const now = performance.now();
        this.#nextChangeMs = now + Math.max(changeGapMs, (now - before) / maxChangeShare);
      },
      Math.max(0, this.#nextChangeMs - performance.now()),
    );
  }

  #sampleAll(): void {
    this.#sample([...this.#watched]);
  }

  #sample(attempts: readonly Watched[]): void {
    const table = readProcessTable();
    this.memory.keepOnly(table);
    for (const { mark, onSample } of attempts) onSample(processesOf(mark, table, this.memory.attemptOf));
  }
}
