import type { Logger } from '@rhizome/log';
import type { DetectedDevice } from './detected-device.js';
import { withLost } from './lost-devices.js';

/** What watches the devices of a host. */
export interface DeviceMonitorOptions {
  /** The devices as they are now. */
  readonly detect: () => Promise<readonly DetectedDevice[]>;
  /** Time between two looks. */
  readonly periodMs: number;
  readonly log: Logger;
}

/** What changed with a look. */
export interface DeviceChange {
  readonly devices: readonly DetectedDevice[];
  /** A device came, went, or changed its health: to be told at once. */
  readonly isUrgent: boolean;
  /** Nothing but use has changed. */
  readonly isUseOnly: boolean;
}

/** Devices that somebody holds. */
export interface HeldDevices {
  /** Why the first of them that is bad turned so, as of the latest look; undefined while all are well. */
  readonly fault: string | undefined;
  /** Gives them back. */
  release(): void;
}

/** Utilisation and memory are worth a report when they moved by so much. */
const utilisationStep = 0.05;
const memoryStep = 0.05;
/** Looks, in ms after a payload began, before the usual ones: many payloads are over before those come. */
const earlyProbesMs = [500, 1500, 4000];
/** Where there is no device, one may come: with its driver, or into its slot. That is rare. */
const idlePeriodFactor = 6;

/** Looks at the devices again and again. What is not found any more is told by the rules of {@link withLost}. */
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

  /** The devices as they were last seen. */
  get devices(): readonly DetectedDevice[] {
    return this.#current;
  }

  /** The first look; the others follow. */
  async start(): Promise<void> {
    this.#current = await this.#options.detect();
    this.#reported = this.#current;
    const named = this.#current.map(({ id, model, health }) => ({ id, model, health }));
    if (named.length > 0) this.#options.log.info({ devices: named }, 'devices were found');
    this.#schedule();
  }

  /** Looks no more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Tells of what is worth a report from `known` on, until the returned function is called; one listener at a time. */
  follow(known: readonly DetectedDevice[], listener: (change: DeviceChange) => void): () => void {
    this.#reported = known;
    this.#listener = listener;
    this.#notify();
    return () => {
      if (this.#listener === listener) this.#listener = undefined;
    };
  }

  /** Tells of each look, and of some that are made now and soon, until the returned function is called. */
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
   * Keeps the devices in what is reported until they are given back, whatever becomes of them.
   * @param onFault is told each time that one of them turns bad, and why
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

  /** Looks now, or waits for the look that is being made. */
  async probe(): Promise<void> {
    this.#probing ??= this.#runProbe().finally(() => (this.#probing = undefined));
    return this.#probing;
  }

  /** Looks once more after the look that is being made: that one may have seen what was before. */
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
      this.#options.log.warn({ err: error }, 'the devices could not be looked at');
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

/** Devices of one holder. */
class Hold {
  readonly #onFault: ((fault: string) => void) | undefined;
  readonly ids: ReadonlySet<string>;
  /** The device that is bad, and why. A look that finds it well takes it back; one that does not know leaves it. */
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
    const fault = `device ${bad.id} turned bad: ${source ?? 'its health is bad'}`;
    this.#bad = { id: bad.id, fault };
    this.#onFault?.(fault);
  }
}

const healthOf = (devices: readonly DetectedDevice[]): string =>
  JSON.stringify(devices.map(({ id, health }) => `${id} ${health}`).sort());

/** Any change of a fact that does not move by itself. */
function hasNewFacts(before: readonly DetectedDevice[], now: readonly DetectedDevice[]): boolean {
  const known = new Map(before.map((device) => [device.id, fixedFacts(device)]));
  return now.some((device) => known.get(device.id) !== fixedFacts(device));
}

/** Great changes of what moves by itself. */
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
