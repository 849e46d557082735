/**
 * A worker's right to its jobs, as far as the worker can know it: it lasts from the sending of the last call that core answered.
 * Core counts from the arrival of that call, so this lease never outlasts core's. It is lost once and for all.
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

  /** Core answered a sign of life that was sent then. */
  renew(sentAt: number): void {
    this.#endsAt = Math.max(this.#endsAt, sentAt + this.#seconds * 1000);
    this.#arm();
  }

  /** Core said, or the clock says, that it is over. */
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
        else this.lose(`core did not answer a sign of life for ${this.#seconds} s`);
      },
      Math.max(0, left),
    );
  }
}

/** Why a worker gave up its jobs. */
class LeaseLost extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'LeaseLost';
  }
}
