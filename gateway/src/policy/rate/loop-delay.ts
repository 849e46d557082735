/** Interval of the measurement, in milliseconds. */
const intervalMs = 50;
/** Share of a new sample in the average. */
const share = 0.3;

/** Measures the delay of the event loop: how late a timer runs, on average over the last samples. */
export class LoopDelay {
  #averageMs = 0;
  #expectedAt = performance.now() + intervalMs;
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#averageMs += share * (Math.max(0, now - this.#expectedAt) - this.#averageMs);
      this.#expectedAt = now + intervalMs;
    }, intervalMs);
    this.#timer.unref();
  }

  /** Average in milliseconds. */
  get ms(): number {
    return this.#averageMs;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
