import type { FoundDevice } from './device-facts.js';

/** What a job's devices did while it ran. */
export interface GpuUsage {
  /** Mean over time and devices, from 0 to 1; null when nothing told it. */
  readonly utilisation: number | null;
  /** Most that was used on one device at one moment, by whom ever; null when nothing told it. */
  readonly peakMemoryMiB: number | null;
}

/** Gathers samples of the devices that a job was given. On a device that others share, they are counted too. */
export class GpuUsageMeter {
  private readonly ids: ReadonlySet<string>;
  private sum = 0;
  private samples = 0;
  private peak: number | undefined;

  constructor(ids: readonly string[]) {
    this.ids = new Set(ids);
  }

  /** Takes one sample. */
  observe(devices: readonly FoundDevice[]): void {
    for (const { id, utilisation, memoryUsedMiB } of devices) {
      if (!this.ids.has(id)) continue;
      if (utilisation !== undefined) {
        this.sum += utilisation;
        this.samples += 1;
      }
      if (memoryUsedMiB !== undefined) this.peak = Math.max(this.peak ?? 0, memoryUsedMiB);
    }
  }

  /** What was seen so far. */
  get usage(): GpuUsage {
    return {
      utilisation: this.samples === 0 ? null : this.sum / this.samples,
      peakMemoryMiB: this.peak ?? null,
    };
  }
}
