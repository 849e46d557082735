import { readProcess } from '../processes/process-table.js';

interface Waiting {
  readonly knownTicks: number;
  readonly resolve: (ticks: number) => void;
}

/**
 * CPU time of ended children. Node does not hand out what the kernel tells when a child is waited for, but this process's own sum
 * over all its ended children grows by just that. Children that end in the same moment share the growth.
 */
export class ReapedTime {
  private waiting: Waiting[] = [];
  private baseline: number;

  constructor(private readonly readSum: () => number = ownChildTicks) {
    this.baseline = readSum();
  }

  /** To be called before a payload starts: what other children used until now is nobody's. */
  rebase(): void {
    if (this.waiting.length === 0) this.baseline = this.readSum();
  }

  /**
   * To be called at once, synchronously, when a child's end is told. `knownTicks` is what was last seen of it. Gives its CPU time and
   * that of all descendants that were waited for, in ticks.
   */
  async take(knownTicks: number): Promise<number> {
    return new Promise((resolve) => {
      this.waiting.push({ knownTicks, resolve });
      if (this.waiting.length === 1) setImmediate(() => this.settle());
    });
  }

  private settle(): void {
    const ended = this.waiting;
    this.waiting = [];
    const sum = this.readSum();
    const growth = sum - this.baseline;
    this.baseline = sum;
    const known = ended.reduce((total, { knownTicks }) => total + knownTicks, 0);
    const share = Math.max(0, growth - known) / ended.length;
    ended.forEach(({ knownTicks, resolve }) => resolve(ended.length === 1 ? growth : knownTicks + share));
  }
}

function ownChildTicks(): number {
  return readProcess(process.pid)?.childTicks ?? 0;
}
