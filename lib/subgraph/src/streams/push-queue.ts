/** Limit of a queue, and the effect of exceeding it. */
export interface PushQueueOptions {
  /** Maximum number of values held for a consumer that is slower than the source. */
  readonly bound: number;
  /** Called once when the consumer has returned or the queue is full: the source must end. */
  readonly onEnd: () => void;
  /** Error for a consumer that was too slow, after the values held. Without it the queue ends after them. */
  readonly overflow?: () => Error;
}

type Waiting<T> = { resolve(next: IteratorResult<T, undefined>): void; reject(error: unknown): void };

/**
 * Converts a source that pushes to an iterator that is pulled. Bounded: a consumer that is too slow gets the
 * values held and then the end, never an unnoticed gap. `return` takes effect at once, even while a `next` is
 * pending.
 */
export class PushQueue<T> implements AsyncIterableIterator<T> {
  readonly #options: PushQueueOptions;
  readonly #values: T[] = [];
  readonly #waiting: Waiting<T>[] = [];
  #state: 'open' | 'finished' | 'failed' = 'open';
  #failure: unknown;
  #isReleased = false;

  constructor(options: PushQueueOptions) {
    this.#options = options;
  }

  /** Adds a value; ignored after the end. */
  push(value: T): void {
    if (this.#state !== 'open') return;
    const waiting = this.#waiting.shift();
    if (waiting) {
      waiting.resolve({ done: false, value });
    } else if (this.#values.length < this.#options.bound) {
      this.#values.push(value);
    } else {
      const { overflow } = this.#options;
      if (overflow) this.fail(overflow());
      else this.finish();
      this.#release();
    }
  }

  /** Ends the queue after the values held. Call it from the source: `onEnd` is not called. */
  finish(): void {
    if (this.#state !== 'open') return;
    this.#state = 'finished';
    for (const { resolve } of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
  }

  /** Ends the queue with an error after the values held. Call it from the source: `onEnd` is not called. */
  fail(error: unknown): void {
    if (this.#state !== 'open') return;
    const waiting = this.#waiting.splice(0);
    const [first, ...others] = waiting;
    this.#state = first ? 'finished' : 'failed';
    this.#failure = error;
    first?.reject(error);
    for (const { resolve } of others) resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#values.length > 0) return Promise.resolve({ done: false, value: this.#values.shift() as T });
    if (this.#state === 'failed') {
      this.#state = 'finished';
      return Promise.reject(this.#failure as Error);
    }
    if (this.#state === 'finished') return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#values.length = 0;
    this.finish();
    this.#state = 'finished';
    this.#release();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    void this.return();
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#options.onEnd();
  }
}
