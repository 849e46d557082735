/** Rates of a pool over the last minute, from the numbers that it counts. Pure, without I/O. */

/** Numbers of a pool at a time. */
export interface PoolSample {
  readonly atMs: number;
  /** Units published so far. */
  readonly published: number;
  readonly completed: number;
  /** Jobs that hold units. */
  readonly busy: number;
  /** Jobs of the fleet that ended as FINISHED since the sample before, without being released. */
  readonly finished: number;
}

/** Rates of a pool. */
export interface PoolRates {
  readonly arrivalsPerSecond: number;
  /** Absent unless units were completed in the window. */
  readonly unitsPerJobSecond?: number | undefined;
}

const windowMs = 60_000;
/** Fewest completed units from which the rate of a job is derived. */
const fewest = 5;

/** Samples of one pool. */
export class LoadWindow {
  #samples: PoolSample[] = [];

  /** Adds the newest sample. */
  add(sample: PoolSample): void {
    this.#samples.push(sample);
    const from = this.#samples.findIndex(({ atMs }) => atMs > sample.atMs - windowMs);
    // One sample before the window is its beginning.
    if (from > 1) this.#samples = this.#samples.slice(from - 1);
  }

  /** True if more jobs of the fleet finished in the window than units were completed. */
  isUnproductive(): boolean {
    const [first, ...others] = this.#samples;
    const last = others.at(-1);
    if (!first || !last) return false;
    const finished = others.reduce((sum, sample) => sum + sample.finished, 0);
    return finished > last.completed - first.completed;
  }

  /** Rates over the window. */
  rates(): PoolRates {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last.atMs <= first.atMs) return { arrivalsPerSecond: 0 };
    const seconds = (last.atMs - first.atMs) / 1000;
    let busySeconds = 0;
    for (const [at, { atMs, busy }] of this.#samples.entries()) {
      const next = this.#samples[at + 1];
      if (next) busySeconds += (busy * (next.atMs - atMs)) / 1000;
    }
    const completed = last.completed - first.completed;
    return {
      arrivalsPerSecond: Math.max(0, last.published - first.published) / seconds,
      ...(completed >= fewest && busySeconds > 0 ? { unitsPerJobSecond: completed / busySeconds } : {}),
    };
  }
}
