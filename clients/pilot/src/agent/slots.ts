import type { Capacity } from '../protocol/core-protocol.js';

/** What the host offers, and what of it is given to jobs. Nothing is given twice. */
export class Slots {
  private readonly booked = new Set<Capacity>();
  private readonly listeners = new Set<() => void>();

  constructor(private readonly total: Capacity) {}

  /** What is not given to a job; never below zero. */
  get free(): Capacity {
    const sum = (part: (capacity: Capacity) => number): number =>
      Math.max(
        0,
        [...this.booked].reduce((left, capacity) => left - part(capacity), part(this.total)),
      );
    return {
      cores: sum(({ cores }) => cores),
      memoryMiB: sum(({ memoryMiB }) => memoryMiB),
      diskMiB: sum(({ diskMiB }) => diskMiB),
    };
  }

  /** True when no job has anything. */
  get isIdle(): boolean {
    return this.booked.size === 0;
  }

  /** Gives a job its part; the returned function takes it back, once. */
  book(capacity: Capacity): () => void {
    const part = { ...capacity };
    this.booked.add(part);
    return () => {
      if (this.booked.delete(part)) this.listeners.forEach((listener) => listener());
    };
  }

  /** Tells whenever something becomes free. */
  onFreed(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
