/** A log in the spool that can give space back. */
export interface SpooledLog {
  /** Bytes of its records that can be left out. */
  readonly removableBytes: number;
  /** Replaces its oldest removable record with a mark, and releases its space. */
  leaveOutOldest(): Promise<void>;
}

/**
 * The space of a spool. When it is full, records of logs are left out, from the longest log first; other
 * records are always kept, beyond the limit if need be.
 */
export class SpoolSpace {
  readonly #limitBytes: number;
  readonly #logs = new Set<SpooledLog>();
  #usedBytes = 0;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Counts what a log occupies when space is needed; the returned function removes the log again. */
  register(log: SpooledLog): () => void {
    this.#logs.add(log);
    return () => this.#logs.delete(log);
  }

  /**
   * Takes space; where there is too little, logs give theirs.
   * @param isOptional take none rather than more than the limit
   * @returns true if it was taken
   */
  async take(bytes: number, isOptional: boolean): Promise<boolean> {
    const taking = this.#queue.then(async () => {
      while (this.#usedBytes + bytes > this.#limitBytes) if (!(await this.leaveOutOne())) break;
      if (isOptional && this.#usedBytes + bytes > this.#limitBytes) return false;
      this.#usedBytes += bytes;
      return true;
    });
    this.#queue = taking.catch(() => undefined);
    return taking;
  }

  /** Gives space back. */
  release(bytes: number): void {
    this.#usedBytes -= bytes;
  }

  /** Leaves out one record of the longest log. False if there is none. */
  async leaveOutOne(): Promise<boolean> {
    const [longest] = [...this.#logs].sort((one, other) => other.removableBytes - one.removableBytes);
    if (longest === undefined || longest.removableBytes === 0) return false;
    await longest.leaveOutOldest();
    return true;
  }
}
