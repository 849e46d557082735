const none: ReadonlySet<never> = new Set();

/** Sets of values by key. A key whose values were all deleted is forgotten. */
export class SetsByKey<Value> {
  readonly #sets = new Map<string, Set<Value>>();

  /** Returns true if the key has values. */
  has(key: string): boolean {
    return this.#sets.has(key);
  }

  /** The values of a key. */
  of(key: string): ReadonlySet<Value> {
    return this.#sets.get(key) ?? none;
  }

  add(key: string, value: Value): void {
    const values = this.#sets.get(key);
    if (values) values.add(value);
    else this.#sets.set(key, new Set([value]));
  }

  delete(key: string, value: Value): void {
    const values = this.#sets.get(key);
    values?.delete(value);
    if (values?.size === 0) this.#sets.delete(key);
  }

  clear(): void {
    this.#sets.clear();
  }
}
