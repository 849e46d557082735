import type { DetectedDevice } from './detected-device.js';

/** Usage of a job's devices while it ran. */
export interface GpuUsage {
  /** Mean over time and devices, from 0 to 1; null if unknown. */
  readonly utilisation: number | null;
  /** Largest memory in use on one device at one moment, by all its users; null if unknown. */
  readonly peakMemoryMiB: number | null;
}

/** Collects samples of a job's devices. On shared devices, the usage of other jobs is included. */
export class GpuUsageMeter {
  readonly #ids: ReadonlySet<string>;
  #first: Samples = none;
  #others: Samples = none;
  #peak: number | undefined;

  constructor(ids: readonly string[]) {
    this.#ids = new Set(ids);
  }

  /**
   * Adds one sample.
   * @param isFirst the sample was taken as the payload started: it counts only if there is no other
   */
  observe(devices: readonly DetectedDevice[], isFirst = false): void {
    for (const { id, utilisation, memoryUsedMiB } of devices) {
      if (!this.#ids.has(id)) continue;
      if (utilisation !== undefined && isFirst) this.#first = add(this.#first, utilisation);
      if (utilisation !== undefined && !isFirst) this.#others = add(this.#others, utilisation);
      if (memoryUsedMiB !== undefined) this.#peak = Math.max(this.#peak ?? 0, memoryUsedMiB);
    }
  }

  /** The usage so far. */
  get usage(): GpuUsage {
    const { sum, count } = this.#others.count > 0 ? this.#others : this.#first;
    return { utilisation: count === 0 ? null : sum / count, peakMemoryMiB: this.#peak ?? null };
  }
}

interface Samples {
  readonly sum: number;
  readonly count: number;
}

const none: Samples = { sum: 0, count: 0 };
const add = ({ sum, count }: Samples, value: number): Samples => ({ sum: sum + value, count: count + 1 });
