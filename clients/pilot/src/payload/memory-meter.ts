import { proportionalMemory, residentMemory, type ProcessMemory } from '../processes/process-table.js';

/** Below this share of the limit the sum of resident sets is exact enough. */
const residentShare = 0.8;
/** Reading PSS makes the kernel walk all pages of a process, so it is read this often at most. */
const proportionalPeriodMs = 10_000;

/** Options of a memory meter; tests replace the readers. */
export interface MemoryMeterOptions {
  readonly limitBytes: number;
  /** Bytes in files of `/dev/shm` that belong to the attempt. */
  readonly sharedFiles?: () => number;
  readonly resident?: (pid: number) => ProcessMemory;
  readonly proportional?: (pid: number) => ProcessMemory | undefined;
  readonly nowMs?: () => number;
}

/** A measurement of PSS, and the resident sets at that moment or at their lowest since. */
interface Measurement {
  readonly atMs: number;
  readonly bytes: number;
  readonly residentBytes: number;
}

/**
 * Memory of an attempt's processes. Resident sets are cheap to read, but count a page once for each process
 * that shares it. Once their sum comes near the limit, pages are divided among the processes that share them
 * (PSS). Between two measurements of PSS the growth of the resident sets is added; a value over the limit
 * always comes from a measurement made for it.
 */
export class MemoryMeter {
  readonly #limitBytes: number;
  readonly #sharedFiles: () => number;
  readonly #resident: (pid: number) => ProcessMemory;
  readonly #proportional: (pid: number) => ProcessMemory | undefined;
  readonly #nowMs: () => number;
  #last: Measurement | undefined;

  constructor(options: MemoryMeterOptions) {
    this.#limitBytes = options.limitBytes;
    this.#sharedFiles = options.sharedFiles ?? (() => 0);
    this.#resident = options.resident ?? residentMemory;
    this.#proportional = options.proportional ?? proportionalMemory;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Memory of these processes and of the attempt's files in `/dev/shm`, in bytes. */
  measure(pids: readonly number[]): number {
    const sharedFiles = this.#sharedFiles();
    const residentBytes = total(pids.map(this.#resident), sharedFiles);
    const estimate = this.#estimate(residentBytes);
    if (residentBytes <= this.#limitBytes * residentShare) return residentBytes;
    if (estimate !== undefined && estimate <= this.#limitBytes) return Math.min(estimate, residentBytes);
    const bytes = total(
      pids.map((pid) => this.#proportional(pid) ?? this.#resident(pid)),
      sharedFiles,
    );
    this.#last = { atMs: this.#nowMs(), bytes, residentBytes };
    return bytes;
  }

  /** The last measurement with the growth since; undefined when there is none, or it is too old. */
  #estimate(residentBytes: number): number | undefined {
    if (this.#last === undefined || this.#nowMs() - this.#last.atMs >= proportionalPeriodMs) return undefined;
    const lowest = Math.min(this.#last.residentBytes, residentBytes);
    this.#last = { ...this.#last, residentBytes: lowest };
    return this.#last.bytes + residentBytes - lowest;
  }
}

/** A file in `/dev/shm` that is mapped is in the processes' memory already: it counts once. */
function total(processes: readonly ProcessMemory[], sharedFiles: number): number {
  const bytes = processes.reduce((sum, memory) => sum + memory.bytes, 0);
  const shared = processes.reduce((sum, memory) => sum + memory.sharedBytes, 0);
  return bytes - shared + Math.max(shared, sharedFiles);
}
