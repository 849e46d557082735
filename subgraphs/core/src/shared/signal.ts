/** Signal that fires at most once per interval, however often it is raised. */
import type { Clock } from '@rhizome/clock';

/** Options of {@link Signal}. */
export interface SignalOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Remembers that it was raised, and wakes one waiter at most once per interval. */
export class Signal {
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #onAbort = (): void => this.#wake?.();
  #hasRung = false;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastMs: number;

  /** @param intervalMs minimum time between two wake-ups */
  constructor({ signal, clock }: SignalOptions, intervalMs: number) {
    this.#signal = signal;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#lastMs = clock.monotonicMs();
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Raises the signal. */
  ring(): void {
    this.#hasRung = true;
    if (!this.#wake || this.#timer) return;
    const restMs = this.#lastMs + this.#intervalMs - this.#clock.monotonicMs();
    if (restMs <= 0) this.#wake();
    else this.#timer = setTimeout(() => this.#wake?.(), restMs);
  }

  /**
   * Resolves to true when the signal is raised and the interval has passed, to false when the abort signal
   * fires.
   */
  async wait(): Promise<boolean> {
    if (this.#signal.aborted) return false;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (this.#hasRung) this.ring();
    });
    this.#wake = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#hasRung = false;
    this.#lastMs = this.#clock.monotonicMs();
    return !this.#signal.aborted;
  }

  /** Ends the signal. */
  release(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    clearTimeout(this.#timer);
  }
}
