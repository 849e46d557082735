/** Latencies in buckets: they take little memory, travel between processes, and can be added up. */

/** Each bucket ends 5 % above the one before it. */
const growth = 1.05;
const firstMs = 0.1;
/** The last bucket takes everything above three minutes. */
const bucketCount = 310;

const bucketOf = (ms: number): number =>
  ms <= firstMs ? 0 : Math.min(bucketCount - 1, Math.ceil(Math.log(ms / firstMs) / Math.log(growth)));

/** A number of latencies. */
export class Latencies {
  readonly #counts: number[];

  /** @param counts from {@link Latencies.counts}, of this process or of another one */
  constructor(counts: readonly number[] = []) {
    this.#counts = Array.from({ length: bucketCount }, (_, bucket) => counts[bucket] ?? 0);
  }

  /** Entries by bucket. */
  get counts(): readonly number[] {
    return this.#counts;
  }

  /** Number of entries. */
  get size(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  record(ms: number): void {
    const bucket = bucketOf(ms);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  /** Adds the entries of others. */
  add(counts: readonly number[]): void {
    counts.forEach((count, bucket) => (this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count));
  }

  /** Upper bound in milliseconds of the bucket in which this part of the entries ends; NaN for none. */
  quantile(part: number): number {
    const { size } = this;
    if (size === 0) return Number.NaN;
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= part * size) return firstMs * growth ** bucket;
    }
    throw new RangeError(`a part is at most 1, not ${part}`);
  }
}
