/**
 * Recent demand for GPUs, and the price of a placement that follows from it: the part of their total capacity
 * that the usual jobs lose by the placement. So a job does not fragment a rare kind of host, and leaves no
 * GPUs behind without cores for them. Based on counts only, not on a clock.
 */
import { type DeviceMatch } from '../../gpus/verdict/device-match.js';
import { type DeviceCapacity, wholeDevice } from '../../gpus/capacity/device-capacity.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';

/** Free capacity of a host, and which of its devices would serve. */
export interface HostCapacity {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly devices: DeviceCapacity;
}

/** A kind of host with GPUs: its full size, and the number of such hosts. */
export interface HostKind {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly gpus: number;
  readonly hosts: number;
}

/** Cached slots of the capacities of one shape, valid for one basis of prices. */
export class SlotsCache {
  readonly #known = new Map<string, Uint16Array>();
  #basis = '';

  /** Returns the slots for a capacity, computed if they are not cached for this basis. */
  get(basis: string, capacity: string, make: () => Uint16Array): Uint16Array {
    if (basis !== this.#basis || this.#known.size > maxCached) this.#known.clear();
    this.#basis = basis;
    let found = this.#known.get(capacity);
    if (!found) this.#known.set(capacity, (found = make()));
    return found;
  }
}

/** Returns the devices with which a class fits, or undefined. */
export type MatchOf = (cls: RequirementClass) => DeviceMatch | undefined;

interface Counted {
  readonly cls: RequirementClass;
  count: number;
}

/** Number of classes considered, the most frequent first. */
const maxClasses = 128;
/** Number of jobs after which all counts are halved. */
const maxRemembered = 20_000;
/**
 * Weight of all whole hosts together, relative to all jobs: enough that an idle host stays whole if nothing
 * else matters.
 */
const hostWeight = 0.005;
const maxHostKinds = 32;
/** Memory assumed for a job that takes a whole host, as a part of the host's memory. */
const hostMemoryPart = 0.5;
const minRecorded = 50;
const maxCached = 5000;

/** Counts of recent jobs with GPUs by class. */
export class GpuDemand {
  readonly #counts = new Map<string, Counted>();
  #total = 0;
  #recorded = 0;
  #classes: readonly { readonly cls: RequirementClass; readonly weight: number }[] = [];
  /** Grows when the classes change, which invalidates counts made for others. */
  #version = 0;

  /** Counts jobs of the class. Jobs without GPUs are ignored: they prefer hosts without GPUs. */
  record(cls: RequirementClass, count = 1): void {
    if (cls.requirements.gpu === undefined || count === 0) return;
    const known = this.#counts.get(cls.id);
    if (known) known.count += count;
    else this.#counts.set(cls.id, { cls, count });
    this.#total += count;
    this.#recorded += count;
    if (this.#total > maxRemembered) this.#halve();
  }

  /**
   * Classes by which capacities are priced, with their parts of the demand; refreshed after enough jobs to
   * matter.
   */
  classes(): readonly { readonly cls: RequirementClass; readonly weight: number }[] {
    if (
      this.#recorded > Math.max(minRecorded, this.#total / 50) ||
      (this.#version === 0 && this.#total > 0)
    ) {
      const counted = [...this.#counts.values()].sort((a, b) => b.count - a.count).slice(0, maxClasses);
      const sum = counted.reduce((all, { count }) => all + count, 0);
      this.#classes = counted.map(({ cls, count }) => ({ cls, weight: count / sum }));
      this.#recorded = 0;
      this.#version += 1;
    }
    return this.#classes;
  }

  /** Grows with each refresh of {@link classes}. */
  get version(): number {
    return this.#version;
  }

  #halve(): void {
    this.#total = 0;
    for (const [id, counted] of this.#counts) {
      counted.count = Math.floor(counted.count / 2);
      if (counted.count === 0) this.#counts.delete(id);
      this.#total += counted.count;
    }
  }
}

/** Prices of one pass. */
export class Prices {
  readonly #classes: readonly { readonly cls: RequirementClass; readonly weight: number }[];
  readonly #hosts: readonly (HostKind & { readonly weight: number })[];
  /** Total capacity of all hosts for each class, then for each kind of host. */
  readonly #capacity: Float64Array;
  /** Equal for prices with the same {@link slots}. */
  readonly basis: string;

  constructor(demand: GpuDemand, hosts: readonly HostKind[]) {
    this.#classes = demand.classes();
    this.#hosts = weighted(hosts);
    this.#capacity = new Float64Array(this.#classes.length + this.#hosts.length);
    const kinds = this.#hosts.map(({ cores, memoryMiB, gpus }) => `${cores}/${memoryMiB}/${gpus}`);
    this.basis = `${demand.version} ${kinds.join(' ')}`;
  }

  /** Length of the {@link slots} of a capacity. */
  get length(): number {
    return this.#capacity.length;
  }

  /** Number of jobs of each class, and of whole hosts of each kind, that fit on a host. */
  slots(capacity: HostCapacity, matchOf: MatchOf): Uint16Array {
    const found = new Uint16Array(this.#capacity.length);
    this.#classes.forEach(({ cls }, index) => {
      const match = matchOf(cls);
      if (match) found[index] = jobsIn(capacity, cls, match);
    });
    const whole = capacity.devices.free.reduce((sum, free) => sum + Number(free === wholeDevice), 0);
    this.#hosts.forEach(({ cores, memoryMiB, gpus }, index) => {
      const most = Math.min(
        whole / gpus,
        capacity.cores / cores,
        capacity.memoryMiB / (memoryMiB * hostMemoryPart),
      );
      found[this.#classes.length + index] = Math.floor(most);
    });
    return found;
  }

  /** Adds the capacity of `count` equal hosts. */
  add(slots: Uint16Array, count: number): void {
    for (let i = 0; i < slots.length; i += 1)
      this.#capacity[i] = (this.#capacity[i] ?? 0) + count * (slots[i] ?? 0);
  }

  /** Loss when the capacity of a host changes from one to another, 0 to 1. */
  price(before: Uint16Array, after: Uint16Array): number {
    let price = 0;
    for (let i = 0; i < before.length; i += 1) {
      const lost = (before[i] ?? 0) - (after[i] ?? 0);
      if (lost <= 0) continue;
      const weight =
        i < this.#classes.length ? this.#classes[i]?.weight : this.#hosts[i - this.#classes.length]?.weight;
      price += ((weight ?? 0) * lost) / Math.max(1, this.#capacity[i] ?? 1);
    }
    return price;
  }
}

function weighted(hosts: readonly HostKind[]): readonly (HostKind & { readonly weight: number })[] {
  const gpusOf = ({ gpus, hosts: many }: HostKind): number => gpus * many;
  const common = [...hosts].sort((a, b) => gpusOf(b) - gpusOf(a)).slice(0, maxHostKinds);
  const all = common.reduce((sum, host) => sum + gpusOf(host), 0);
  return common.map((host) => ({ ...host, weight: (hostWeight * gpusOf(host)) / all }));
}

/**
 * Number of jobs of a class that fit in a capacity together.
 * @param match devices that serve; undefined if none are needed
 */
export function jobsIn(
  capacity: HostCapacity,
  { requirements }: Pick<RequirementClass, 'requirements'>,
  match: DeviceMatch | undefined,
): number {
  const { cores, memoryMiB, diskMiB, gpu } = requirements;
  const most = Math.min(
    Math.floor(capacity.cores / cores),
    Math.floor(capacity.memoryMiB / memoryMiB),
    diskMiB > 0 ? Math.floor(capacity.diskMiB / diskMiB) : Infinity,
  );
  if (most <= 0) return 0;
  const byDevices =
    gpu === undefined || match === undefined ? most : devicesFor(gpu, match, capacity.devices);
  return Math.min(most, byDevices, 0xff_ff);
}

function devicesFor(gpu: StoredGpuRequirement, { positions }: DeviceMatch, { free }: DeviceCapacity): number {
  let found = 0;
  for (const position of positions) {
    const left = free[position] ?? 0;
    found += gpu.share === undefined ? Number(left === wholeDevice) : Math.floor(left / gpu.share);
  }
  return gpu.share === undefined ? Math.floor(found / gpu.count) : found;
}
