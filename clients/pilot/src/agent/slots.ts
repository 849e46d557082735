import type { Capacity } from '../protocol/core-protocol.js';

/** What a job is given. */
export interface Part extends Capacity {
  /** The devices, by id. */
  readonly deviceIds: readonly string[];
  /** Whether others may have them too. */
  readonly sharesDevices: boolean;
}

/** What the host offers, and what of it is given to jobs. Nothing is given twice. */
export class Slots {
  readonly #total: Capacity;
  readonly #devices: () => readonly string[];
  readonly #booked = new Set<Part>();
  readonly #listeners = new Set<() => void>();

  /** @param devices the devices that can be given to jobs now */
  constructor(total: Capacity, devices: () => readonly string[] = () => []) {
    this.#total = total;
    this.#devices = devices;
  }

  /** What is not given to a job; never below zero. */
  get free(): Capacity {
    const sum = (part: (capacity: Capacity) => number): number =>
      Math.max(
        0,
        [...this.#booked].reduce((left, capacity) => left - part(capacity), part(this.#total)),
      );
    return {
      cores: sum(({ cores }) => cores),
      memoryMiB: sum(({ memoryMiB }) => memoryMiB),
      diskMiB: sum(({ diskMiB }) => diskMiB),
    };
  }

  /** Devices that no job has alone. How much of a shared one is left is for core to know. */
  get freeDeviceIds(): readonly string[] {
    const taken = new Set(
      [...this.#booked].flatMap(({ deviceIds, sharesDevices }) => (sharesDevices ? [] : deviceIds)),
    );
    return this.#devices().filter((id) => !taken.has(id));
  }

  /** True when no job has anything. */
  get isIdle(): boolean {
    return this.#booked.size === 0;
  }

  /** Gives a job its part; the returned function takes it back, once. */
  book(given: Capacity & Partial<Part>): () => void {
    const part = { deviceIds: [], sharesDevices: false, ...given };
    this.#booked.add(part);
    return () => {
      if (this.#booked.delete(part)) this.#listeners.forEach((listener) => listener());
    };
  }

  /** Tells whenever something becomes free. */
  onFreed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
