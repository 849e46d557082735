/**
 * What jobs with GPUs have asked for lately, and what that makes of placing one: it takes capacity from other jobs, and the price of a
 * placement is the capacity that the usual jobs lose there, as a part of all their capacity. So a job does not break a host that few
 * others are like, and leaves no GPUs behind without cores for them. Counts only: no clock.
 */
import { type DeviceFit } from '../../gpus/verdict/device-fit.js';
import { type DeviceCapacity, wholeDevice } from '../../gpus/capacity/device-capacity.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';

/** The free capacity of a host, and which of its devices would serve. */
export interface HostCapacity {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
  readonly devices: DeviceCapacity;
}

/** A kind of host that has GPUs: its full size, and how many there are. */
export interface HostKind {
  readonly cores: number;
  readonly memoryMiB: number;
  readonly gpus: number;
  readonly hosts: number;
}

/** What was computed for the capacities of one shape, as long as prices have the same basis. */
export class SlotsCache {
  readonly #known = new Map<string, Uint16Array>();
  #basis = '';

  /** The numbers for a capacity; computed where they are not known for this basis. */
  get(basis: string, capacity: string, make: () => Uint16Array): Uint16Array {
    if (basis !== this.#basis || this.#known.size > maxCached) this.#known.clear();
    this.#basis = basis;
    let found = this.#known.get(capacity);
    if (!found) this.#known.set(capacity, (found = make()));
    return found;
  }
}

/** Where a class fits at all, and with which devices: undefined where not. */
export type FitOf = (cls: RequirementClass) => DeviceFit | undefined;

interface Counted {
  readonly cls: RequirementClass;
  count: number;
}

/** Classes that are looked at: the most frequent. */
const maxClasses = 128;
/** Jobs that are remembered: when there are so many, all counts are halved. */
const maxRemembered = 20_000;
/** The weight of all whole hosts together against that of all jobs: enough that an idle host stays whole where nothing else speaks for it. */
const hostWeight = 0.005;
const maxHostKinds = 32;
/** Memory that a job for a whole host is taken to need, as a part of the host's. */
const hostMemoryPart = 0.5;
const minNoted = 50;
const maxCached = 5000;

/** See the head of this file. */
export class GpuDemand {
  readonly #counts = new Map<string, Counted>();
  #total = 0;
  #noted = 0;
  #classes: readonly { readonly cls: RequirementClass; readonly weight: number }[] = [];
  /** Grows when the classes change: what was counted for others is of no use. */
  #version = 0;

  /** Notes that jobs of the class have come. Jobs without GPUs need no notice: they go where there are none. */
  note(cls: RequirementClass, count = 1): void {
    if (cls.requirements.gpu === undefined || count === 0) return;
    const known = this.#counts.get(cls.id);
    if (known) known.count += count;
    else this.#counts.set(cls.id, { cls, count });
    this.#total += count;
    this.#noted += count;
    if (this.#total > maxRemembered) this.#halve();
  }

  /** The classes by which capacities are priced, with their parts of the demand; refreshed after enough jobs that it may differ. */
  classes(): readonly { readonly cls: RequirementClass; readonly weight: number }[] {
    if (this.#noted > Math.max(minNoted, this.#total / 50) || (this.#version === 0 && this.#total > 0)) {
      const counted = [...this.#counts.values()].sort((a, b) => b.count - a.count).slice(0, maxClasses);
      const sum = counted.reduce((all, { count }) => all + count, 0);
      this.#classes = counted.map(({ cls, count }) => ({ cls, weight: count / sum }));
      this.#noted = 0;
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

/** The prices of one pass. */
export class Prices {
  readonly #classes: readonly { readonly cls: RequirementClass; readonly weight: number }[];
  readonly #hosts: readonly (HostKind & { readonly weight: number })[];
  /** Capacity for each class, then for each kind of host, on all hosts. */
  readonly #capacity: Float64Array;
  /** Equal for prices whose {@link slots} are the same. */
  readonly basis: string;

  constructor(demand: GpuDemand, hosts: readonly HostKind[]) {
    this.#classes = demand.classes();
    this.#hosts = weighted(hosts);
    this.#capacity = new Float64Array(this.#classes.length + this.#hosts.length);
    const kinds = this.#hosts.map(({ cores, memoryMiB, gpus }) => `${cores}/${memoryMiB}/${gpus}`);
    this.basis = `${demand.version} ${kinds.join(' ')}`;
  }

  /** Numbers in one {@link slots}. */
  get length(): number {
    return this.#capacity.length;
  }

  /** How many jobs of each class, and how many whole hosts of each kind, fit on a host. */
  slots(capacity: HostCapacity, fitOf: FitOf): Uint16Array {
    const found = new Uint16Array(this.#capacity.length);
    this.#classes.forEach(({ cls }, index) => {
      const fit = fitOf(cls);
      if (fit) found[index] = jobsIn(capacity, cls, fit);
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

  /** What is lost if a host goes from one capacity to another, 0 to 1. */
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

function jobsIn(capacity: HostCapacity, { requirements }: RequirementClass, fit: DeviceFit): number {
  const { cores, memoryMiB, diskMiB, gpu } = requirements;
  const most = Math.min(
    Math.floor(capacity.cores / cores),
    Math.floor(capacity.memoryMiB / memoryMiB),
    diskMiB > 0 ? Math.floor(capacity.diskMiB / diskMiB) : Infinity,
  );
  return most <= 0 || gpu === undefined ? 0 : Math.min(most, 0xff_ff, devicesFor(gpu, fit, capacity.devices));
}

function devicesFor(gpu: StoredGpuRequirement, { positions }: DeviceFit, { free }: DeviceCapacity): number {
  let found = 0;
  for (const position of positions) {
    const left = free[position] ?? 0;
    found += gpu.share === undefined ? Number(left === wholeDevice) : Math.floor(left / gpu.share);
  }
  return gpu.share === undefined ? Math.floor(found / gpu.count) : found;
}
