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
    this.#fill(nowMs);
    // More than a burst never fits: it is taken from a full bucket, which then pays it back.
    const needed = Math.min(amount, this.rate.burst);
    if (this.#left >= needed) {
      this.#left -= amount;
      return 0;
    }
    return (needed - this.#left) / this.rate.perSecond;
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
