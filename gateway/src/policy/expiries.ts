import type { Clock } from '@rhizome/clock';

/** Maximum delay of Node.js timers, about 24 days. */
const longestTimerMs = 2 ** 31 - 1;

interface Expiry<T> {
  readonly members: Set<T>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Expiry times with one timer for all members of equal time: thousands of streams may depend on one token.
 */
export class Expiries<T> {
  readonly #clock: Clock;
  readonly #due: (member: T) => void;
  readonly #byTime = new Map<number, Expiry<T>>();

  /** `due` is called once for each member whose time has come, and must not throw. */
  constructor(clock: Clock, due: (member: T) => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /**
   * Adds a member with its time, in milliseconds since 1970. A time in the past is due in a later turn of the
   * event loop.
   */
  add(member: T, timeMs: number): void {
    let expiry = this.#byTime.get(timeMs);
    if (!expiry) {
      expiry = { members: new Set(), timer: undefined };
      this.#byTime.set(timeMs, expiry);
      this.#arm(expiry, timeMs);
    }
    expiry.members.add(member);
  }

  /** Removes a member. */
  remove(member: T, timeMs: number): void {
    const expiry = this.#byTime.get(timeMs);
    if (!expiry?.members.delete(member) || expiry.members.size > 0) return;
    clearTimeout(expiry.timer);
    this.#byTime.delete(timeMs);
  }

  #arm(expiry: Expiry<T>, timeMs: number): void {
    const leftMs = timeMs - this.#clock.now().getTime();
    expiry.timer = setTimeout(
      () => this.#ring(expiry, timeMs),
      Math.min(Math.max(0, leftMs), longestTimerMs),
    );
    expiry.timer.unref();
  }

  #ring(expiry: Expiry<T>, timeMs: number): void {
    if (this.#clock.now().getTime() < timeMs) return this.#arm(expiry, timeMs);
    this.#byTime.delete(timeMs);
    for (const member of expiry.members) this.#due(member);
  }
}
