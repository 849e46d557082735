import { add, combine, nothing, type Amounts } from './reaped-accounts.js';
import { storageTraffic, ticksPerSecond, type ProcessEntry } from '../processes/process-table.js';

/** Usage of all processes of an attempt together. */
export interface Usage {
  /** User and system time of all processes, including ended ones. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Largest memory of all processes together at one moment; null when it was never measured. */
  readonly peakMemoryMiB: number | null;
  /** Bytes from and to storage. */
  readonly readBytes: number;
  readonly writeBytes: number;
  /** True if the payload was shorter than one sample: its memory was not measured. */
  readonly isPartial: boolean;
  /** Mean utilisation of its devices, 0 to 1; left out without devices, null if unknown. */
  readonly gpuUtilisation?: number | null;
  /** Largest memory in use on one of its devices; as `gpuUtilisation`. */
  readonly gpuPeakMemoryMiB?: number | null;
  /** Largest use of scratch space; left out if the payload has not ended. */
  readonly peakDiskMiB?: number;
}

/** A process with its usage so far, including children that it waited for. */
interface Account extends Amounts {
  readonly entry: ProcessEntry;
}

/** Reads the usage of a process; values that may not be read stay as they were. */
export type ReadAccount = (entry: ProcessEntry, before: Amounts | undefined) => Account;

const readFromProc: ReadAccount = (entry, before) => ({
  entry,
  cpuTicks: entry.ownTicks + entry.childTicks,
  ...(storageTraffic(entry.pid) ?? {
    readBytes: before?.readBytes ?? 0,
    writeBytes: before?.writeBytes ?? 0,
  }),
});

/**
 * Adds up the usage of one attempt's processes, from samples. The usage of a process that ended between two
 * samples is in its parent's figures if the parent waited for it; if the parent is not part of the attempt,
 * the last known usage is kept.
 */
export class UsageMeter {
  readonly #leaderPid: number;
  readonly #readAccount: ReadAccount;
  readonly #measureMemory: (pids: readonly number[]) => number;
  #accounts = new Map<number, Account>();
  #retired: Amounts = nothing;
  #peakBytes = 0;

  /** @param measureMemory memory of processes together, in bytes */
  constructor(
    leaderPid: number,
    measureMemory: (pids: readonly number[]) => number,
    readAccount: ReadAccount = readFromProc,
  ) {
    this.#leaderPid = leaderPid;
    this.#measureMemory = measureMemory;
    this.#readAccount = readAccount;
  }

  /** Usage of the live processes at the latest sample. */
  get lastKnown(): Amounts {
    return [...this.#accounts.values()].reduce(add, nothing);
  }

  /** Adds one sample of all processes of the attempt. Returns their memory together, in bytes. */
  observe(entries: readonly ProcessEntry[]): number {
    const next = this.#read(entries);
    for (const account of this.#vanished(next)) {
      if (!this.#isAbsorbed(account.entry, next)) this.#retired = add(this.#retired, account);
    }
    this.#accounts = next;
    const bytes = this.#measureMemory(entries.map(({ pid }) => pid));
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    return bytes;
  }

  /**
   * The final usage. `survivors` are processes of the attempt that outlived the leader; `reaped` is the
   * kernel's figure for the leader's end: exact, and available for the shortest payload too.
   */
  finish(survivors: readonly ProcessEntry[], reaped: Amounts, wallSeconds: number): Usage {
    const alive = this.#read(survivors);
    let tree = nothing;
    for (const account of this.#vanished(alive)) {
      if (this.#descendsFromLeader(account.entry)) tree = add(tree, account);
      else if (!this.#isAbsorbed(account.entry, alive)) this.#retired = add(this.#retired, account);
    }
    const rest = [...alive.values()].reduce(add, this.#retired);
    const { cpuTicks, readBytes, writeBytes } = add(rest, combine(tree, reaped, Math.max));
    // A look that finds no process, or one that has just ended, is not a sample.
    const wasSeen = this.#peakBytes > 0;
    return {
      cpuSeconds: cpuTicks / ticksPerSecond,
      wallSeconds,
      peakMemoryMiB: wasSeen ? Math.ceil(this.#peakBytes / 1024 ** 2) : null,
      readBytes,
      writeBytes,
      isPartial: !wasSeen,
    };
  }

  #read(entries: readonly ProcessEntry[]): Map<number, Account> {
    return new Map(
      entries.map((entry) => [entry.pid, this.#readAccount(entry, this.#accounts.get(entry.pid))]),
    );
  }

  #vanished(next: ReadonlyMap<number, Account>): readonly Account[] {
    return [...this.#accounts.values()].filter(
      ({ entry }) => next.get(entry.pid)?.entry.startTicks !== entry.startTicks,
    );
  }

  /** True if a live ancestor has, or will have, this process's time among its children's. */
  #isAbsorbed(entry: ProcessEntry, next: ReadonlyMap<number, Account>): boolean {
    return this.#ancestors(entry).some(
      ({ pid, startTicks }) => next.get(pid)?.entry.startTicks === startTicks,
    );
  }

  #descendsFromLeader(entry: ProcessEntry): boolean {
    return entry.pid === this.#leaderPid || this.#ancestors(entry).some(({ pid }) => pid === this.#leaderPid);
  }

  #ancestors(entry: ProcessEntry): readonly ProcessEntry[] {
    const found: ProcessEntry[] = [];
    for (
      let at = this.#accounts.get(entry.parent);
      at !== undefined;
      at = this.#accounts.get(at.entry.parent)
    ) {
      if (found.includes(at.entry)) break;
      found.push(at.entry);
    }
    return found;
  }
}
