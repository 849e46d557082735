/** Counts workers that were lost within the time of one lease. */
export class RecentLosses {
  #losses: readonly { readonly until: number; readonly count: number }[] = [];

  /** Adds workers that were lost at a time, with the length of their longest lease in milliseconds. */
  add(at: Date, count: number, leaseMs: number): void {
    if (count > 0) this.#losses = [...this.#losses, { until: at.getTime() + leaseMs, count }];
  }

  /** Number at a time, which must not go back. */
  count(at: Date): number {
    this.#losses = this.#losses.filter(({ until }) => until > at.getTime());
    return this.#losses.reduce((sum, { count }) => sum + count, 0);
  }

  clear(): void {
    this.#losses = [];
  }
}
