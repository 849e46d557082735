import type { DetectedDevice } from '../hardware/gpus/detected-device.js';
import type { DeviceMonitor, HeldDevices } from '../hardware/gpus/device-monitor.js';
import { GpuUsageMeter } from '../hardware/gpus/gpu-usage.js';
import { AttemptError } from '../payload/attempt-error.js';
import { withDeviceFault } from '../payload/conclusion.js';
import type { PayloadResult } from '../payload/payload.js';

/** The devices of one attempt, held until they are released. */
export class JobDevices {
  readonly #ids: readonly string[];
  readonly #monitor: DeviceMonitor;
  readonly #held: HeldDevices;

  /** @param onFault called when one of them fails */
  constructor(ids: readonly string[], monitor: DeviceMonitor, onFault: (reason: string) => void) {
    this.#ids = ids;
    this.#monitor = monitor;
    this.#held = monitor.hold(ids, onFault);
  }

  release(): void {
    this.#held.release();
  }

  /**
   * The devices that the job was given.
   * @throws AttemptError if this host does not have one of them, or one is unhealthy
   */
  given(): readonly DetectedDevice[] {
    const { fault } = this.#held;
    if (fault !== undefined) throw new AttemptError('WORKER', 'DEVICE_FAULT', fault, true);
    return this.#ids.map((id) => {
      const device = this.#monitor.devices.find((one) => one.id === id);
      if (device !== undefined) return device;
      throw new AttemptError('WORKER', 'DEVICE_MISSING', `Device "${id}" not found on this host.`, true);
    });
  }

  /** The result of a payload, with the usage of its devices. */
  async resultOf(ended: Promise<PayloadResult>): Promise<PayloadResult> {
    if (this.#ids.length === 0) return ended;
    const meter = new GpuUsageMeter(this.#ids);
    let isFirst = true;
    const stopSampling = this.#monitor.sample((devices) => {
      meter.observe(devices, isFirst);
      isFirst = false;
    });
    const result = await ended;
    stopSampling();
    const { utilisation, peakMemoryMiB } = meter.usage;
    return {
      ...result,
      usage: { ...result.usage, gpuUtilisation: utilisation, gpuPeakMemoryMiB: peakMemoryMiB },
    };
  }

  /**
   * A payload may have failed because a device did, so the device is probed before another job gets it. A
   * device that failed for a moment and is healthy again, such as one whose tool hung, is not blamed.
   */
  async attribute(failure: AttemptError | undefined): Promise<AttemptError | undefined> {
    if (failure === undefined || this.#ids.length === 0) return failure;
    await this.#monitor.probeAgain();
    return withDeviceFault(failure, this.#held.fault);
  }
}
