import type { Logger } from '@rhizome/log';
import type { FoundDevice } from './device-facts.js';

/** What watches the devices of a host. */
export interface DeviceMonitorOptions {
  /** The devices as they are now. */
  readonly look: () => Promise<readonly FoundDevice[]>;
  /** Time between two looks. */
  readonly periodMs: number;
  readonly log: Logger;
}

/** What changed with a look. */
export interface DeviceChange {
  readonly devices: readonly FoundDevice[];
  /** A device came, went, or changed its health: to be told at once. */
  readonly isUrgent: boolean;
}

/** Utilisation and memory are worth a report when they moved by so much. */
const UTILISATION_STEP = 0.05;
const MEMORY_STEP = 0.05;

/**
 * Looks at the devices again and again while somebody listens. A device that is not found any more is reported as unhealthy, not left out:
 * a job may still hold it. Where there was none at the beginning, nothing is looked at.
 */
export class DeviceMonitor {
  private current: readonly FoundDevice[] = [];
  private readonly samplers = new Set<(devices: readonly FoundDevice[]) => void>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | undefined;
  private isClosed = false;
  private listener: ((change: DeviceChange) => void) | undefined;
  private reported: readonly FoundDevice[] = [];

  constructor(private readonly options: DeviceMonitorOptions) {}

  /** The devices as they were last seen. */
  get devices(): readonly FoundDevice[] {
    return this.current;
  }

  /** The first look; the others follow. */
  async start(): Promise<void> {
    this.current = await this.options.look();
    this.reported = this.current;
    const named = this.current.map(({ id, model, health }) => ({ id, model, health }));
    if (named.length === 0) return;
    this.options.log.info({ devices: named }, 'devices were found');
    this.plan();
  }

  /** Looks no more. */
  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
  }

  /** Tells of what is worth a report from `known` on, until the returned function is called; one listener at a time. */
  follow(known: readonly FoundDevice[], listener: (change: DeviceChange) => void): () => void {
    this.reported = known;
    this.listener = listener;
    this.tell();
    return () => {
      if (this.listener === listener) this.listener = undefined;
    };
  }

  /** Tells of each look, and of one that is made now, until the returned function is called. */
  sample(sampler: (devices: readonly FoundDevice[]) => void): () => void {
    this.samplers.add(sampler);
    if (this.current.length > 0) void this.lookNow();
    return () => this.samplers.delete(sampler);
  }

  /** Looks now, or waits for the look that is being made. */
  async lookNow(): Promise<void> {
    this.looking ??= this.look().finally(() => (this.looking = undefined));
    return this.looking;
  }

  private plan(): void {
    if (this.isClosed) return;
    this.timer = setTimeout(() => void this.lookNow().then(() => this.plan()), this.options.periodMs);
  }

  private async look(): Promise<void> {
    const found = await this.options.look().catch((error: unknown) => {
      this.options.log.warn({ err: error }, 'the devices could not be looked at');
      return undefined;
    });
    if (found === undefined || this.isClosed) return;
    this.current = withLost(this.current, found);
    this.samplers.forEach((sampler) => sampler(this.current));
    this.tell();
  }

  private tell(): void {
    const { current, reported, listener } = this;
    if (listener === undefined) return;
    const isUrgent = healthOf(current) !== healthOf(reported);
    if (!isUrgent && !isWorthAReport(reported, current)) return;
    this.reported = current;
    listener({ devices: current, isUrgent });
  }
}

/** A device that was there and is not found stays, as one that cannot be used. */
function withLost(before: readonly FoundDevice[], found: readonly FoundDevice[]): readonly FoundDevice[] {
  const ids = new Set(found.map(({ id }) => id));
  const addresses = new Set(found.map(({ pciAddress }) => pciAddress));
  const lost = before.filter(({ id }) => !ids.has(id));
  // A device whose tool failed comes back under the name of its place on the bus: it is the one that was lost.
  const bare = new Set(
    lost.flatMap(({ pciAddress }) =>
      pciAddress !== undefined && addresses.has(pciAddress) ? [pciAddress] : [],
    ),
  );
  const why = (device: FoundDevice): string =>
    found
      .find(({ pciAddress }) => pciAddress !== undefined && pciAddress === device.pciAddress)
      ?.sources.find(({ fact }) => fact === 'health')?.source ?? 'it is not found any more';
  return [
    ...found.filter(({ id, pciAddress }) => !(id.startsWith('PCI-') && bare.has(pciAddress ?? ''))),
    ...lost.map((device): FoundDevice => asLost(device, why(device))),
  ];
}

function asLost(device: FoundDevice, why: string): FoundDevice {
  const { utilisation: _utilisation, memoryUsedMiB: _used, ...rest } = device;
  const gone = new Set(['health', 'utilisation', 'memoryUsedMiB']);
  const sources = device.sources.filter(({ fact }) => !gone.has(fact));
  return { ...rest, health: 'UNHEALTHY', sources: [...sources, { fact: 'health', source: why }] };
}

const healthOf = (devices: readonly FoundDevice[]): string =>
  JSON.stringify(devices.map(({ id, health }) => `${id} ${health}`).sort());

/** Any change of a fact that does not move by itself, and great ones of those that do. */
function isWorthAReport(before: readonly FoundDevice[], now: readonly FoundDevice[]): boolean {
  const known = new Map(before.map((device) => [device.id, device]));
  return now.some((device) => {
    const old = known.get(device.id);
    if (old === undefined || fixedFacts(old) !== fixedFacts(device)) return true;
    const most = device.memoryMiB ?? device.memoryUsedMiB ?? 1;
    return (
      hasMoved(old.utilisation, device.utilisation, UTILISATION_STEP) ||
      hasMoved(old.memoryUsedMiB, device.memoryUsedMiB, most * MEMORY_STEP)
    );
  });
}

function fixedFacts(device: FoundDevice): string {
  const { utilisation: _utilisation, memoryUsedMiB: _used, sources, ...facts } = device;
  return JSON.stringify([facts, sources]);
}

const hasMoved = (before: number | undefined, now: number | undefined, step: number): boolean =>
  (before === undefined) !== (now === undefined) || Math.abs((before ?? 0) - (now ?? 0)) >= step;
