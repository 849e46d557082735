/**
 * A worker's right to its jobs, as seen by the worker: it lasts from the moment it sent the last call that
 * core answered. Core counts from the arrival of that call, so this lease never outlasts core's. Once lost,
 * it stays lost.
 */
export class Lease {
  readonly #seconds: number;
  readonly #now: () => number;
  readonly #lost = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #endsAt: number;

  /** @param now a monotonic clock in ms; @param sentAt when the registration was sent */
  constructor(seconds: number, sentAt: number, now: () => number = () => performance.now()) {
    this.#seconds = seconds;
    this.#now = now;
    this.#endsAt = sentAt + seconds * 1000;
    this.#arm();
  }

  /** Aborted when the lease is lost; its reason says why. */
  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  get isLost(): boolean {
    return this.#lost.signal.aborted;
  }

  /** Extends the lease: core answered a heartbeat that was sent at this time. */
  renew(sentAt: number): void {
    this.#endsAt = Math.max(this.#endsAt, sentAt + this.#seconds * 1000);
    this.#arm();
  }

  /** Ends the lease because core reported it, or the clock says so. */
  lose(reason: string): void {
    clearTimeout(this.#timer);
    this.#lost.abort(new LeaseLost(reason));
  }

  /** Stops the clock of a lease that is no longer needed. */
  end(): void {
    clearTimeout(this.#timer);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.isLost) return;
    const left = this.#endsAt - this.#now();
    this.#timer = setTimeout(
      () => {
        if (this.#now() < this.#endsAt) this.#arm();
        else this.lose(`core did not answer a heartbeat for ${this.#seconds} s`);
      },
      Math.max(0, left),
    );
  }
}

/** The reason for which a worker gave up its jobs. */
class LeaseLost extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'LeaseLost';
  }
}
