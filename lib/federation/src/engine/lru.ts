/** Bounds of a {@link Lru}. */
export interface LruBounds<K> {
  readonly entries: number;
  /** Sum of the weights of all keys; unbounded by default. */
  readonly weight?: number;
  readonly weigh?: (key: K) => number;
}

/** A map with bounds: the entry used longest ago goes first. */
export class Lru<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #bounds: Required<LruBounds<K>>;
  #weight = 0;
  /** The key used last, which need not be moved behind the others again. */
  #newest: K | undefined;

  constructor({ entries, weight = Infinity, weigh = () => 0 }: LruBounds<K>) {
    this.#bounds = { entries: Math.max(1, entries), weight, weigh };
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value, which is now the one used last. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined && key !== this.#newest) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
      this.#newest = key;
    }
    return value;
  }

  set(key: K, value: V): void {
    this.#remove(key);
    this.#entries.set(key, value);
    this.#newest = key;
    this.#weight += this.#bounds.weigh(key);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#bounds.entries && this.#weight <= this.#bounds.weight) break;
      this.#remove(oldest);
    }
  }

  /** Gives the key another value in its place if it still has this one. */
  exchange(key: K, value: V, next: V): void {
    if (this.#entries.get(key) === value) this.#entries.set(key, next);
  }

  /** Forgets the key if it still has this value. */
  drop(key: K, value: V): void {
    if (this.#entries.get(key) === value) this.#remove(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#newest = undefined;
    this.#weight = 0;
  }

  #remove(key: K): void {
    if (this.#entries.delete(key)) this.#weight -= this.#bounds.weigh(key);
  }
}
