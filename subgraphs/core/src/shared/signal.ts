/** News that are told at most once an interval, however many there are. */
import type { Clock } from '@rhizome/clock';

/** What {@link Signal} is made of. */
export interface SignalOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Remembers that there is news, and lets one wait for it, at most once an interval. */
export class Signal {
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #onAbort = (): void => this.#wake?.();
  #hasRung = false;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastMs: number;

  /** @param intervalMs news are at least so far apart */
  constructor({ signal, clock }: SignalOptions, intervalMs: number) {
    this.#signal = signal;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#lastMs = clock.monotonicMs();
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** There is news. */
  ring(): void {
    this.#hasRung = true;
    if (!this.#wake || this.#timer) return;
    const restMs = this.#lastMs + this.#intervalMs - this.#clock.monotonicMs();
    if (restMs <= 0) this.#wake();
    else this.#timer = setTimeout(() => this.#wake?.(), restMs);
  }

  /** Resolves to true when there is news and the interval is over, to false when the signal is aborted. */
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

  /** Ends it. */
  release(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    clearTimeout(this.#timer);
  }
}
