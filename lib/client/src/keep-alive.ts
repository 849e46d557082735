/** Ports of {@link KeepAlive}. */
export interface KeepAliveOptions {
  /** Time in which something must arrive, or else a ping is sent, in milliseconds. */
  readonly everyMs: number;
  /** Time in which something must arrive after a ping, in milliseconds. */
  readonly withinMs: number;
  /** Called when nothing has arrived: the peer is dead. */
  readonly onDead: () => void;
}

/** Notices the dead peer of a socket: pings it while nothing else arrives. */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  #timer: NodeJS.Timeout | undefined;
  #receivedAt = -Infinity;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
  }

  /** Time of the latest message, on the clock of `performance.now()`. */
  get receivedAt(): number {
    return this.#receivedAt;
  }

  /** A message has arrived. */
  received(): void {
    this.#receivedAt = performance.now();
  }

  /** The socket is open. */
  opened(ping: () => void): void {
    this.received();
    this.#wait(ping);
  }

  /** The socket has closed. */
  closed(): void {
    clearTimeout(this.#timer);
  }

  #wait(ping: () => void): void {
    clearTimeout(this.#timer);
    const { everyMs, withinMs, onDead } = this.#options;
    const leftMs = this.#receivedAt + everyMs - performance.now();
    this.#timer = setTimeout(
      () => {
        if (this.#receivedAt + everyMs - performance.now() > 0) return this.#wait(ping);
        const pingedAt = performance.now();
        ping();
        this.#timer = setTimeout(() => {
          if (this.#receivedAt < pingedAt) onDead();
          else this.#wait(ping);
        }, withinMs);
      },
      Math.max(leftMs, 1),
    );
  }
}
