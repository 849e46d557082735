import type { Clock } from '@rhizome/clock';

/** Node's timers hold no longer wait, about 24 days. */
const longestTimerMs = 2 ** 31 - 1;

interface Expiry<T> {
  readonly members: Set<T>;
  timer: NodeJS.Timeout | undefined;
}

/** Tells when times have come, with one timer for all whose time is the same: thousands of streams may hang on one token. */
export class Expiries<T> {
  readonly #clock: Clock;
  readonly #due: (member: T) => void;
  readonly #byTime = new Map<number, Expiry<T>>();

  /** `due` is called once for each member whose time has come, and must not throw. */
  constructor(clock: Clock, due: (member: T) => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /** Adds a member with its time, in milliseconds since 1970. A time that is over is told in a turn of its own. */
  add(member: T, timeMs: number): void {
    let expiry = this.#byTime.get(timeMs);
    if (!expiry) {
      expiry = { members: new Set(), timer: undefined };
      this.#byTime.set(timeMs, expiry);
      this.#arm(expiry, timeMs);
    }
    expiry.members.add(member);
  }

  /** Forgets a member. */
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
