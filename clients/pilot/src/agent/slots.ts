import type { Capacity } from '../protocol/core-protocol.js';
import type { JobRun } from './job-run.js';

/** Resources given to a job. */
export interface Part extends Capacity {
  /** The devices, by id. */
  readonly deviceIds: readonly string[];
  /** True if other jobs may use them at the same time. */
  readonly sharesDevices: boolean;
}

/** The host's resources, and the part that jobs hold. Nothing is given twice. */
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

  /** Resources that no job holds; never below zero. */
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

  /** Devices that no job has exclusively. Core tracks what is left of a shared one. */
  get freeDeviceIds(): readonly string[] {
    const taken = new Set(
      [...this.#booked].flatMap(({ deviceIds, sharesDevices }) => (sharesDevices ? [] : deviceIds)),
    );
    return this.#devices().filter((id) => !taken.has(id));
  }

  /** True if no job holds anything. */
  get isIdle(): boolean {
    return this.#booked.size === 0;
  }

  /** Books resources for a job; the returned function releases them, once. */
  book(given: Capacity & Partial<Part>): () => void {
    const part = { deviceIds: [], sharesDevices: false, ...given };
    this.#booked.add(part);
    return () => {
      if (this.#booked.delete(part)) this.#listeners.forEach((listener) => listener());
    };
  }

  /** Books what a job was given, until nothing of it is left. */
  hold({ assignment, done }: Pick<JobRun, 'assignment' | 'done'>): void {
    const { requirements, deviceIds, sharesDevices } = assignment;
    void done.then(this.book({ ...requirements, deviceIds, sharesDevices }));
  }

  /** Calls the listener whenever something is released. */
  onFreed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
