/** Rate of a bucket: what it gains in a second, and what it holds at most. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Bucket that fills at an even pace; the burst is the quota after a pause. */
export class TokenBucket {
  readonly rate: Rate;
  #left: number;
  #atMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.rate = rate;
    this.#left = rate.burst;
    this.#atMs = nowMs;
  }

  /** Takes an amount and returns 0, or takes nothing and returns the seconds until it can be taken. */
  consume(amount: number, nowMs: number): number {
    const seconds = this.secondsUntil(amount, nowMs);
    if (seconds === 0) this.#left -= amount;
    return seconds;
  }

  /** Seconds until an amount can be taken; 0 if it can be taken now. */
  secondsUntil(amount: number, nowMs: number): number {
    this.#fill(nowMs);
    // More than a burst never fits: it is taken from a full bucket, which then pays it back.
    const needed = Math.min(amount, this.rate.burst);
    return Math.max(0, needed - this.#left) / this.rate.perSecond;
  }

  /** Gives an amount back that was taken for nothing. */
  refund(amount: number): void {
    this.#left = Math.min(this.rate.burst, this.#left + amount);
  }

  left(nowMs: number): number {
    this.#fill(nowMs);
    return Math.max(0, Math.floor(this.#left));
  }

  #fill(nowMs: number): void {
    const seconds = Math.max(0, nowMs - this.#atMs) / 1000;
    this.#left = Math.min(this.rate.burst, this.#left + seconds * this.rate.perSecond);
    this.#atMs = nowMs;
  }
}
