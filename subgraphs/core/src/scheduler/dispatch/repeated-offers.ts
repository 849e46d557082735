/** Offers jobs again that no pending acquire got although it could run them: they wait for better hosts. */
import type { Clock } from '@rhizome/clock';

/** Interval at which jobs are offered again that wait for recently idle hosts, in milliseconds. */
const deferralMs = 250;
/** Longest time of one timer, in milliseconds: a timer takes at most 24.8 days. */
const longestTimerMs = 60_000;

/** Timers of one dispatcher. */
export class RepeatedOffers {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #offer: () => void;
  /** Set while jobs are deferred for recently idle hosts. */
  #deferral: NodeJS.Timeout | undefined;
  /** Set while jobs wait for another host than where they failed. */
  #avoidance: NodeJS.Timeout | undefined;
  #avoidanceEndsMs = 0;

  constructor(clock: Pick<Clock, 'monotonicMs'>, offer: () => void) {
    this.#clock = clock;
    this.#offer = offer;
  }

  /** Offers deferred jobs to all candidates again. */
  soon(): void {
    this.#deferral ??= setTimeout(() => {
      this.#deferral = undefined;
      this.#offer();
    }, deferralMs).unref();
  }

  /** Offers jobs again after this time: then the first of them may run anywhere. */
  after(delayMs: number): void {
    const ms = Math.min(longestTimerMs, delayMs);
    const atMs = this.#clock.monotonicMs() + ms;
    if (this.#avoidance && this.#avoidanceEndsMs <= atMs) return;
    clearTimeout(this.#avoidance);
    this.#avoidanceEndsMs = atMs;
    this.#avoidance = setTimeout(() => {
      this.#avoidance = undefined;
      this.#offer();
    }, ms).unref();
  }

  /** Ends all timers. */
  stop(): void {
    clearTimeout(this.#deferral);
    clearTimeout(this.#avoidance);
  }
}
