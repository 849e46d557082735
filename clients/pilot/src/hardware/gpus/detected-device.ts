/** GPU vendors that the pilot detects. */
export type Vendor = 'NVIDIA' | 'AMD' | 'INTEL';

/** Health of a device; `UNKNOWN` if nothing that could know was asked. */
export type DeviceHealth = 'HEALTHY' | 'UNHEALTHY' | 'UNKNOWN';

/**
 * Known facts about one GPU or one of its partitions, with the names of the API's `DeviceInput`. Unknown
 * facts are left out.
 */
export interface KnownFacts {
  readonly model?: string;
  /** As reported by the driver, in MiB. */
  readonly memoryMiB?: number;
  /** As `9.0`. */
  readonly computeCapability?: string;
  readonly driverVersion?: string;
  /** The newest CUDA version that the driver supports. */
  readonly cudaVersion?: string;
  readonly migProfile?: string;
  readonly parentId?: string;
  readonly health?: DeviceHealth;
  /** As `10de:20b2`. */
  readonly pciId?: string;
  /** As `0000:07:00.0`. */
  readonly pciAddress?: string;
  readonly brand?: string;
  /** As `gfx90a`. */
  readonly gfxTarget?: string;
  readonly rocmVersion?: string;
  readonly eccEnabled?: boolean;
  /** Devices with the same value are connected by NVLink. */
  readonly nvlinkGroup?: string;
  readonly partitionMode?: string;
  /** From 0 to 1. */
  readonly utilisation?: number;
  /** In MiB. */
  readonly memoryUsedMiB?: number;
}

/** The name of a fact. */
export type FactName = keyof KnownFacts;

/** Source of a fact; for an unknown one, `unknown: ` and the reason. */
export interface FactSource {
  readonly fact: FactName;
  readonly source: string;
}

/** A device as it is reported to core. */
export interface ReportedDevice extends KnownFacts {
  /** The UUID that its driver gives it, or its address on the PCI bus if no driver was asked. */
  readonly id: string;
  readonly vendor: Vendor;
  readonly model: string;
  readonly health: DeviceHealth;
  readonly sources: readonly FactSource[];
}

/** A device as the pilot knows it on its host. */
export interface DetectedDevice extends ReportedDevice {
  /**
   * The value that makes it visible to a payload, in the variable of its vendor; null if it cannot be named
   * there.
   */
  readonly visibleAs: string | null;
  /**
   * Names that a batch system may use: UUIDs, which it may shorten, and its number in its vendor's libraries.
   */
  readonly names: readonly string[];
  /** Number of parts of a card that can be given one by one; left out if unknown or not divisible. */
  readonly tiles?: number;
}

/** Longest source that the API accepts. */
const maxSourceLength = 128;

const isVersion = (value: unknown): boolean => /^\d+(\.\d+){0,3}$/.test(String(value));
const isShort =
  (most: number) =>
  (value: unknown): boolean => {
    const text = String(value);
    return text.length >= 1 && text.length <= most && text.trim() === text && !/\p{Cc}/u.test(text);
  };
const isAmount = (least: number) => (value: unknown) =>
  typeof value === 'number' && value >= least && value <= 16_777_216;

/** The API's rules for facts. One odd value from a tool must not keep the whole host out. */
const forms: { readonly [Name in FactName]?: (value: unknown) => boolean } = {
  model: isShort(128),
  memoryMiB: isAmount(1),
  memoryUsedMiB: isAmount(0),
  computeCapability: isVersion,
  cudaVersion: isVersion,
  rocmVersion: isVersion,
  driverVersion: (value) => isShort(64)(value) && /\d/.test(String(value)),
  migProfile: isShort(64),
  pciId: (value) => /^[0-9a-f]{4}:[0-9a-f]{4}$/.test(String(value)),
  gfxTarget: (value) => /^gfx[0-9a-f]{3,5}$/.test(String(value)),
  brand: isShort(64),
  nvlinkGroup: isShort(64),
  partitionMode: isShort(64),
  pciAddress: isShort(64),
};

type LooseFacts = { readonly [Name in FactName]?: KnownFacts[Name] | null | undefined };

/** Collects the facts about one device: the first source that knows a fact wins. */
export class Evidence {
  readonly #known = new Map<FactName, { value: unknown; source: string }>();
  readonly #missing = new Map<FactName, string>();

  constructor(readonly vendor: Vendor) {}

  /** Adds the facts of a source; unknown ones are left out or null. */
  add(source: string, facts: LooseFacts): this {
    for (const [name, value] of Object.entries(facts) as [FactName, unknown][]) {
      if (value === undefined || value === null || this.#known.has(name)) continue;
      const rounded = name.endsWith('MiB') && typeof value === 'number' ? Math.floor(value) : value;
      if (forms[name]?.(rounded) === false)
        this.unknown(`${source} says ${String(value).slice(0, 64)}`, name);
      else this.#known.set(name, { value: rounded, source });
    }
    return this;
  }

  /** Replaces facts that earlier sources gave. */
  override(source: string, facts: LooseFacts): this {
    for (const name of Object.keys(facts) as FactName[]) this.#known.delete(name);
    return this.add(source, facts);
  }

  /** Records why a fact is unknown; has no effect once a source knows it. */
  unknown(why: string, ...names: readonly FactName[]): this {
    for (const name of names) if (!this.#missing.has(name)) this.#missing.set(name, why);
    return this;
  }

  /** The value of one fact; undefined if unknown. */
  valueOf<Name extends FactName>(name: Name): KnownFacts[Name] {
    return this.#known.get(name)?.value as KnownFacts[Name];
  }

  /**
   * The device with all known facts.
   * @param names further names besides its id
   */
  device(
    id: string,
    visibleAs: string | null,
    { names = [], tiles }: { names?: readonly (string | undefined)[]; tiles?: number | undefined } = {},
  ): DetectedDevice {
    const facts = Object.fromEntries(
      [...this.#known].map(([name, { value }]) => [name, value]),
    ) as KnownFacts;
    const known = [...this.#known].map(([fact, { source }]) => ({ fact, source }));
    const unknown = [...this.#missing]
      .filter(([fact]) => !this.#known.has(fact))
      .map(([fact, why]) => ({ fact, source: `unknown: ${why}` }));
    const sources = [...known, ...unknown].map(({ fact, source }) => ({
      fact,
      source: oneLine(source),
    }));
    return {
      ...facts,
      id,
      vendor: this.vendor,
      model: facts.model ?? `unknown ${this.vendor} device${facts.pciId ? ` ${facts.pciId}` : ''}`,
      health: facts.health ?? 'UNKNOWN',
      sources,
      visibleAs,
      names: [id, ...names.filter((name) => name !== undefined)],
      ...(tiles === undefined ? {} : { tiles }),
    };
  }
}

/** A text of a tool on one line, cut to the length that the API accepts. */
function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\s]+/gu, ' ').trim();
  return [...line].slice(0, maxSourceLength).join('').trimEnd();
}

/** The device marked as unhealthy, with the reason. */
export function asUnusable<Device extends ReportedDevice>(device: Device, why: string): Device {
  const sources = device.sources.filter(({ fact }) => fact !== 'health');
  return {
    ...device,
    health: 'UNHEALTHY',
    sources: [...sources, { fact: 'health', source: oneLine(why) }],
  };
}

/** An address on the PCI bus in the kernel's form, `0000:07:00.0`; undefined if invalid. */
export function pciAddressOf(text: string | null | undefined): string | undefined {
  const parts = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/i.exec(text?.trim() ?? '');
  if (!parts) return undefined;
  const [, domain = '0000', bus, device, part] = parts;
  return `${domain.slice(-4)}:${bus}:${device}.${part}`.toLowerCase();
}

/** PCI vendor and device ids, as `10de:20b2`. Both may come as `0x20b2`, `20B2`, or without leading zeros. */
export function pciIdOf(vendor: string, device: string | null | undefined): string | undefined {
  const digits = /^(?:0x)?([0-9a-f]{1,4})$/i.exec(device?.trim() ?? '')?.[1];
  return digits === undefined ? undefined : `${vendor}:${digits.toLowerCase().padStart(4, '0')}`;
}

/** The number at the beginning of a text such as `81920 MiB`; undefined if there is none, as in `N/A`. */
export function numberIn(text: string | number | null | undefined): number | undefined {
  if (typeof text === 'number') return Number.isFinite(text) ? text : undefined;
  const digits = /^\s*(-?\d+(?:\.\d+)?)/.exec(text ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Per cent as a fraction from 0 to 1. */
export function shareOfPercent(percent: number | undefined): number | undefined {
  return percent === undefined || percent < 0 ? undefined : Math.min(1, percent / 100);
}

/**
 * The value in a tool's output; undefined for its placeholders such as N/A, [N/A], [Not Supported] or
 * unknown.
 */
export function knownValue(text: string | null | undefined): string | undefined {
  const word = text?.trim();
  return word === undefined ||
    word === '' ||
    /^(n\/a|not supported|unknown|none|unknown error|err!|\[.*\])$/i.test(word) ||
    /^requested functionality has been deprecated$/i.test(word)
    ? undefined
    : word;
}
