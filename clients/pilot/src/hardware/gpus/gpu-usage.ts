import type { DetectedDevice } from './detected-device.js';

/** What a job's devices did while it ran. */
export interface GpuUsage {
  /** Mean over time and devices, from 0 to 1; null when nothing told it. */
  readonly utilisation: number | null;
  /** Most that was used on one device at one moment, by whom ever; null when nothing told it. */
  readonly peakMemoryMiB: number | null;
}

/** Gathers samples of the devices that a job was given. On a device that others share, they are counted too. */
export class GpuUsageMeter {
  readonly #ids: ReadonlySet<string>;
  #first: Samples = none;
  #others: Samples = none;
  #peak: number | undefined;

  constructor(ids: readonly string[]) {
    this.#ids = new Set(ids);
  }

  /**
   * Takes one sample.
   * @param isFirst it was taken as the payload began: it says little of what that did, and counts where there is no other
   */
  observe(devices: readonly DetectedDevice[], isFirst = false): void {
    for (const { id, utilisation, memoryUsedMiB } of devices) {
      if (!this.#ids.has(id)) continue;
      if (utilisation !== undefined && isFirst) this.#first = add(this.#first, utilisation);
      if (utilisation !== undefined && !isFirst) this.#others = add(this.#others, utilisation);
      if (memoryUsedMiB !== undefined) this.#peak = Math.max(this.#peak ?? 0, memoryUsedMiB);
    }
  }

  /** What was seen so far. */
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
