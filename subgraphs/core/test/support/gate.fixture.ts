/** For tests: holds calls back until they are let through. */

/** A gate that calls pass through; open at first. */
export class Gate {
  #closed: Promise<void> | undefined;
  #open: () => void = () => undefined;
  #waiting = 0;

  /** Calls that wait at the gate. */
  get waiting(): number {
    return this.#waiting;
  }

  /** From now on calls wait, until it is opened. */
  close(): void {
    this.#closed ??= new Promise((resolve) => (this.#open = resolve));
  }

  /** Lets all through. */
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
