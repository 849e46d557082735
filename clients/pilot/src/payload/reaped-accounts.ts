import { readdirSync } from 'node:fs';
import {
  readProcess,
  storageTraffic,
  threadTraffic,
  type StorageTraffic,
} from '../processes/process-table.js';

/** Usage of processes: CPU time in ticks, and bytes from and to storage. */
export interface Amounts extends StorageTraffic {
  readonly cpuTicks: number;
}

/** No usage. */
export const nothing: Amounts = { cpuTicks: 0, readBytes: 0, writeBytes: 0 };

/** Combines two amounts part by part. */
export function combine(a: Amounts, b: Amounts, how: (a: number, b: number) => number): Amounts {
  return {
    cpuTicks: how(a.cpuTicks, b.cpuTicks),
    readBytes: how(a.readBytes, b.readBytes),
    writeBytes: how(a.writeBytes, b.writeBytes),
  };
}

/** The sum of two amounts. */
export function add(a: Amounts, b: Amounts): Amounts {
  return combine(a, b, (x, y) => x + y);
}

interface Waiting {
  readonly known: Amounts;
  readonly resolve: (amounts: Amounts) => void;
}

/**
 * Usage of ended children with all descendants that were waited for. Node does not pass on the kernel's
 * figures for a child, but this process's own sums over all its ended children grow by exactly that. Children
 * that end in the same moment share the growth.
 */
export class ReapedAccounts {
  readonly #readSum: () => Amounts;
  #waiting: Waiting[] = [];
  #baseline: Amounts;

  constructor(readSum: () => Amounts = sumOverEndedChildren) {
    this.#readSum = readSum;
    this.#baseline = readSum();
  }

  /** Call this before a payload starts: usage of other children until now is not counted. */
  rebase(): void {
    if (this.#waiting.length === 0) this.#baseline = this.#readSum();
  }

  /**
   * Call this synchronously when a child's end is reported. `known` is its last known usage. Returns its
   * whole usage.
   */
  async usageOfEnded(known: Amounts): Promise<Amounts> {
    return new Promise((resolve) => {
      this.#waiting.push({ known, resolve });
      if (this.#waiting.length === 1) setImmediate(() => this.#settle());
    });
  }

  #settle(): void {
    const ended = this.#waiting;
    this.#waiting = [];
    const sum = this.#readSum();
    const growth = combine(sum, this.#baseline, (now, before) => Math.max(0, now - before));
    this.#baseline = sum;
    const seen = ended.reduce((total, { known }) => add(total, known), nothing);
    const share = combine(growth, seen, (all, part) => Math.max(0, Math.floor((all - part) / ended.length)));
    ended.forEach(({ known, resolve }) => resolve(ended.length === 1 ? growth : add(known, share)));
  }
}

/** Number of reads of the sums if a thread of this process was active in between. */
const maxReads = 5;

/**
 * The kernel shows storage traffic of ended children only together with that of this process's threads, which
 * is subtracted.
 */
function sumOverEndedChildren(): Amounts {
  const cpuTicks = readProcess(process.pid)?.childTicks ?? 0;
  let before = trafficOfThreads();
  for (let read = 1; ; read += 1) {
    const all = storageTraffic(process.pid) ?? nothing;
    const after = trafficOfThreads();
    const isSteady = before.readBytes === after.readBytes && before.writeBytes === after.writeBytes;
    if (isSteady || read === maxReads) {
      const taken = combine({ cpuTicks: 0, ...all }, after, (whole, own) => Math.max(0, whole - own));
      return { ...taken, cpuTicks };
    }
    before = after;
  }
}

function trafficOfThreads(): Amounts {
  return readdirSync('/proc/self/task')
    .map((thread) => ({ cpuTicks: 0, ...(threadTraffic(Number(thread)) ?? nothing) }))
    .reduce(add, nothing);
}
