/**
 * A worker's contact with core, as seen by the worker: it lasts from the moment it sent the last call that
 * core answered. Core counts from the arrival of that call, so this lease never outlasts core's. It ends when
 * core is silent, and begins again when core answers; once core has given up the worker, it is over for good.
 */
export class Lease {
  readonly #seconds: number;
  readonly #now: () => number;
  readonly #over = new AbortController();
  readonly #onChange: (isValid: boolean) => void;
  #timer: NodeJS.Timeout | undefined;
  #answeredAt: number;
  #isValid = true;

  /**
   * @param sentAt when the registration was sent
   * @param onChange called when the lease ends because core is silent, and when it begins again
   * @param now a monotonic clock in ms
   */
  constructor(
    seconds: number,
    sentAt: number,
    onChange: (isValid: boolean) => void = () => undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#seconds = seconds;
    this.#now = now;
    this.#onChange = onChange;
    this.#answeredAt = sentAt;
    this.#arm();
  }

  /** Aborted when core has given up the worker; its reason says why. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** False while core is silent. */
  get isValid(): boolean {
    return this.#isValid && !this.isOver;
  }

  get seconds(): number {
    return this.#seconds;
  }

  /** Time at which the last answered call was sent. */
  get answeredAt(): number {
    return this.#answeredAt;
  }

  /** Extends the lease: core answered a heartbeat that was sent at this time. */
  renew(sentAt: number): void {
    this.#answeredAt = Math.max(this.#answeredAt, sentAt);
    if (this.isOver) return;
    const hasReturned = !this.#isValid && this.#leftMs > 0;
    this.#isValid ||= hasReturned;
    this.#arm();
    if (hasReturned) this.#onChange(true);
  }

  /** Ends the lease for good: core has given up the worker. */
  lose(reason: string): void {
    clearTimeout(this.#timer);
    this.#over.abort(new LeaseLost(reason));
  }

  /** Stops the clock of a lease that is no longer needed. */
  end(): void {
    clearTimeout(this.#timer);
  }

  get #leftMs(): number {
    return this.#answeredAt + this.#seconds * 1000 - this.#now();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.isValid) this.#timer = setTimeout(() => this.#onTimer(), Math.max(0, this.#leftMs));
  }

  #onTimer(): void {
    if (this.#leftMs > 0) return this.#arm();
    this.#isValid = false;
    this.#onChange(false);
  }
}

/** The reason for which core gave up the worker. */
class LeaseLost extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'LeaseLost';
  }
}
