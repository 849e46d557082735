import type { Clock } from './clock.js';

/** Interval of the measurement, in milliseconds. */
const defaultIntervalMs = 100;

/** Measures stalls of the event loop: how late a timer runs, at most. */
export class StallMeter {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Infinity;
  #longestMs = 0;

  constructor(clock: Clock, intervalMs = defaultIntervalMs) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /** Measures from now on. */
  start(): void {
    this.#dueMs = this.#clock.monotonicMs() + this.#intervalMs;
    this.#timer = setInterval(() => this.#measure(), this.#intervalMs);
    this.#timer.unref();
  }

  /**
   * Longest stall since the last call, in milliseconds. One that has just ended counts, even if the timer of
   * the measurement has not run since.
   */
  takeLongestMs(): number {
    this.#measure();
    const longestMs = this.#longestMs;
    this.#longestMs = 0;
    return longestMs;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#dueMs = Infinity;
  }

  #measure(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#dueMs);
    if (this.#dueMs !== Infinity) this.#dueMs = nowMs + this.#intervalMs;
  }
}
