/** For tests: a gate that holds calls back. */

/** A gate for calls; open at first. */
export class Gate {
  #closed: Promise<void> | undefined;
  #open: () => void = () => undefined;
  #waiting = 0;

  /** Number of calls that wait at the gate. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Makes calls wait until the gate is opened. */
  close(): void {
    this.#closed ??= new Promise((resolve) => (this.#open = resolve));
  }

  /** Opens the gate for all calls. */
  open(): void {
    this.#closed = undefined;
    this.#open();
  }

  /** Waits while the gate is closed. */
  async pass(): Promise<void> {
    this.#waiting += 1;
    try {
      while (this.#closed) await this.#closed;
    } finally {
      this.#waiting -= 1;
    }
  }
}
