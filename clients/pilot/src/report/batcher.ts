interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/** Limits of a group. */
export interface BatcherOptions {
  /** Time that the first item of a group waits for others. */
  readonly delayMs: number;
  /** Largest number of items in one call. */
  readonly most: number;
}

/**
 * Groups items that arrive within a few milliseconds into one call; each caller gets the result of its own
 * item.
 */
export class Batcher<T, R> {
  readonly #send: (items: readonly T[]) => Promise<readonly R[]>;
  readonly #options: BatcherOptions;
  #waiting: Waiting<T, R>[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param send returns one result per item, in order; if it fails, it fails for all of them */
  constructor(
    send: (items: readonly T[]) => Promise<readonly R[]>,
    options: BatcherOptions = { delayMs: 5, most: 1000 },
  ) {
    this.#send = send;
    this.#options = options;
  }

  async add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#waiting.length >= this.#options.most) this.#flush();
      else this.#timer ??= setTimeout(() => this.#flush(), this.#options.delayMs);
    });
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const group = this.#waiting;
    this.#waiting = [];
    void this.#deliver(group);
  }

  async #deliver(group: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const results = await this.#send(group.map(({ item }) => item));
      group.forEach(({ resolve, reject }, index) => {
        const result = results[index];
        if (result === undefined) reject(new Error('The response to a batch is incomplete'));
        else resolve(result);
      });
    } catch (error) {
      group.forEach(({ reject }) => reject(error));
    }
  }
}
