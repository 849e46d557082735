import type { Logger } from '@rhizome/log';
import type { DetectedDevice } from './detected-device.js';
import { withLost } from './lost-devices.js';

/** Options of a device monitor. */
export interface DeviceMonitorOptions {
  /** Detects the current devices. */
  readonly detect: () => Promise<readonly DetectedDevice[]>;
  /** Time between two probes. */
  readonly periodMs: number;
  readonly log: Logger;
}

/** A change between two probes. */
export interface DeviceChange {
  readonly devices: readonly DetectedDevice[];
  /** A device appeared, disappeared or changed its health: to be reported at once. */
  readonly isUrgent: boolean;
  /** Only utilisation or memory in use has changed. */
  readonly isUseOnly: boolean;
}

/** Devices that a job holds. */
export interface HeldDevices {
  /**
   * Reason why the first unhealthy one of them failed, as of the latest probe; undefined while all are
   * healthy.
   */
  readonly fault: string | undefined;
  /** Releases the devices. */
  release(): void;
}

/** Utilisation and memory are reported when they change by this fraction. */
const utilisationStep = 0.05;
const memoryStep = 0.05;
/** Delays in ms of extra probes after a payload starts: many payloads end before the regular ones. */
const earlyProbesMs = [500, 1500, 4000];
/**
 * Without devices, probes are this much rarer: a device that appears with its driver, or in its slot, is
 * rare.
 */
const idlePeriodFactor = 6;

/** Probes the devices periodically. {@link withLost} has the rules for devices that are no longer found. */
export class DeviceMonitor {
  readonly #options: DeviceMonitorOptions;
  #current: readonly DetectedDevice[] = [];
  readonly #samplers = new Set<(devices: readonly DetectedDevice[]) => void>();
  readonly #holds = new Set<Hold>();
  #timer: NodeJS.Timeout | undefined;
  #probing: Promise<void> | undefined;
  #isClosed = false;
  #listener: ((change: DeviceChange) => void) | undefined;
  #reported: readonly DetectedDevice[] = [];

  constructor(options: DeviceMonitorOptions) {
    this.#options = options;
  }

  /** The devices of the latest probe. */
  get devices(): readonly DetectedDevice[] {
    return this.#current;
  }

  /** Runs the first probe and schedules the others. */
  async start(): Promise<void> {
    this.#current = await this.#options.detect();
    this.#reported = this.#current;
    const named = this.#current.map(({ id, model, health }) => ({ id, model, health }));
    if (named.length > 0) this.#options.log.info({ devices: named }, 'devices detected');
    this.#schedule();
  }

  /** Stops probing. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Reports changes from `known` on, until the returned function is called; one listener at a time. */
  follow(known: readonly DetectedDevice[], listener: (change: DeviceChange) => void): () => void {
    this.#reported = known;
    this.#listener = listener;
    this.#notify();
    return () => {
      if (this.#listener === listener) this.#listener = undefined;
    };
  }

  /** Passes each probe to the sampler, with some extra ones soon, until the returned function is called. */
  sample(sampler: (devices: readonly DetectedDevice[]) => void): () => void {
    this.#samplers.add(sampler);
    const hasDevices = this.#current.length > 0;
    if (hasDevices) void this.probe();
    const early = earlyProbesMs.filter((ms) => hasDevices && ms < this.#options.periodMs);
    const timers = early.map((ms) => setTimeout(() => void this.probe(), ms));
    return () => {
      timers.forEach(clearTimeout);
      this.#samplers.delete(sampler);
    };
  }

  /**
   * Keeps the devices in reports until they are released, whatever happens to them.
   * @param onFault called with the reason each time one of them becomes unhealthy
   */
  hold(ids: readonly string[], onFault?: (fault: string) => void): HeldDevices {
    const held = new Hold(ids, onFault);
    held.observe(this.#current);
    this.#holds.add(held);
    return {
      get fault() {
        return held.fault;
      },
      release: () => this.#holds.delete(held),
    };
  }

  /** Probes now, or waits for the running probe. */
  async probe(): Promise<void> {
    this.#probing ??= this.#runProbe().finally(() => (this.#probing = undefined));
    return this.#probing;
  }

  /** Probes again after the running probe, which may have seen an older state. */
  async probeAgain(): Promise<void> {
    await this.#probing;
    return this.probe();
  }

  #schedule(): void {
    if (this.#isClosed) return;
    const periods = this.#current.length > 0 ? 1 : idlePeriodFactor;
    this.#timer = setTimeout(
      () => void this.probe().then(() => this.#schedule()),
      this.#options.periodMs * periods,
    );
  }

  async #runProbe(): Promise<void> {
    const found = await this.#options.detect().catch((error: unknown) => {
      this.#options.log.warn({ err: error }, 'device probe failed');
      return undefined;
    });
    if (found === undefined || this.#isClosed) return;
    const isHeld = (id: string): boolean => [...this.#holds].some(({ ids }) => ids.has(id));
    this.#current = withLost(this.#current, found, isHeld);
    this.#holds.forEach((hold) => hold.observe(this.#current));
    this.#samplers.forEach((sampler) => sampler(this.#current));
    this.#notify();
  }

  #notify(): void {
    const current = this.#current;
    const reported = this.#reported;
    const listener = this.#listener;
    if (listener === undefined) return;
    const isUrgent = healthOf(current) !== healthOf(reported);
    const isUseOnly = !isUrgent && !hasNewFacts(reported, current);
    if (isUseOnly && !hasSignificantUse(reported, current)) return;
    this.#reported = current;
    listener({ devices: current, isUrgent, isUseOnly });
  }
}

/** The devices of one holder. */
class Hold {
  readonly #onFault: ((fault: string) => void) | undefined;
  readonly ids: ReadonlySet<string>;
  /**
   * The unhealthy device and the reason. A probe that finds it healthy clears it; one with unknown health
   * does not.
   */
  #bad: { readonly id: string; readonly fault: string } | undefined;

  constructor(ids: readonly string[], onFault?: (fault: string) => void) {
    this.#onFault = onFault;
    this.ids = new Set(ids);
  }

  get fault(): string | undefined {
    return this.#bad?.fault;
  }

  observe(devices: readonly DetectedDevice[]): void {
    if (devices.some(({ id, health }) => id === this.#bad?.id && health === 'HEALTHY')) this.#bad = undefined;
    if (this.#bad !== undefined) return;
    const bad = devices.find(({ id, health }) => health === 'UNHEALTHY' && this.ids.has(id));
    if (bad === undefined) return;
    const source = bad.sources.find(({ fact }) => fact === 'health')?.source;
    const fault = `Device ${bad.id} failed: ${source ?? 'it is unhealthy'}`;
    this.#bad = { id: bad.id, fault };
    this.#onFault?.(fault);
  }
}

const healthOf = (devices: readonly DetectedDevice[]): string =>
  JSON.stringify(devices.map(({ id, health }) => `${id} ${health}`).sort());

/** True if a fact other than utilisation or memory in use has changed. */
function hasNewFacts(before: readonly DetectedDevice[], now: readonly DetectedDevice[]): boolean {
  const known = new Map(before.map((device) => [device.id, fixedFacts(device)]));
  return now.some((device) => known.get(device.id) !== fixedFacts(device));
}

/** True if utilisation or memory in use has changed by a reportable amount. */
function hasSignificantUse(before: readonly DetectedDevice[], now: readonly DetectedDevice[]): boolean {
  const known = new Map(before.map((device) => [device.id, device]));
  return now.some((device) => {
    const old = known.get(device.id);
    const most = device.memoryMiB ?? device.memoryUsedMiB ?? 1;
    return (
      hasMoved(old?.utilisation, device.utilisation, utilisationStep) ||
      hasMoved(old?.memoryUsedMiB, device.memoryUsedMiB, most * memoryStep)
    );
  });
}

function fixedFacts(device: DetectedDevice): string {
  const { utilisation: _utilisation, memoryUsedMiB: _used, sources, ...facts } = device;
  return JSON.stringify([facts, sources]);
}

const hasMoved = (before: number | undefined, now: number | undefined, step: number): boolean =>
  (before === undefined) !== (now === undefined) || Math.abs((before ?? 0) - (now ?? 0)) >= step;
