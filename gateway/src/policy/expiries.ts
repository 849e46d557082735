import { type Clock, longestTimerMs } from '@rhizome/clock';

/** A socket or stream that ends with the token of its caller. */
export interface Expiring {
  /** Called once when the time has come; must not throw. */
  expired(): void;
}

interface Expiry {
  readonly members: Set<Expiring>;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Expiry times with one timer for all members of equal time: thousands of streams may depend on one token.
 * The clock decides what is due; a timer that fires early is set again.
 */
export class Expiries {
  readonly #clock: Clock;
  readonly #byTime = new Map<number, Expiry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Adds a member with its time, in milliseconds since 1970. A time in the past is due in a later turn of the
   * event loop.
   */
  add(member: Expiring, timeMs: number): void {
    let expiry = this.#byTime.get(timeMs);
    if (!expiry) {
      expiry = { members: new Set(), timer: undefined };
      this.#byTime.set(timeMs, expiry);
      this.#arm(expiry, timeMs);
    }
    expiry.members.add(member);
  }

  /** Removes a member. */
  remove(member: Expiring, timeMs: number): void {
    const expiry = this.#byTime.get(timeMs);
    if (!expiry?.members.delete(member) || expiry.members.size > 0) return;
    clearTimeout(expiry.timer);
    this.#byTime.delete(timeMs);
  }

  #arm(expiry: Expiry, timeMs: number): void {
    const leftMs = timeMs - this.#clock.now().getTime();
    expiry.timer = setTimeout(
      () => this.#ring(expiry, timeMs),
      Math.min(Math.max(0, leftMs), longestTimerMs),
    );
    expiry.timer.unref();
  }

  #ring(expiry: Expiry, timeMs: number): void {
    if (this.#clock.now().getTime() < timeMs) return this.#arm(expiry, timeMs);
    this.#byTime.delete(timeMs);
    for (const member of expiry.members) member.expired();
  }
}
