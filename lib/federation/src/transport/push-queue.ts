/** How many values a queue holds for a consumer that is slower than its source. */
export interface PushQueueOptions {
  readonly bound: number;
  /** Called once, when the consumer has left or the queue has overflown: the source is to end. */
  readonly onEnd: () => void;
  /** What the consumer gets when it was too slow, after everything that the queue still held. */
  readonly overflow: () => Error;
}

type Waiting<T> = { resolve(next: IteratorResult<T, undefined>): void; reject(error: unknown): void };

/**
 * A source that pushes, as an iterator that is pulled. Bounded: a consumer that falls behind gets what is held and
 * then an error, never a gap without a word. `return` takes effect at once, also while a `next` waits.
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

  /** A further value. Ignored after the end. */
  push(value: T): void {
    if (this.#state !== 'open') return;
    const waiting = this.#waiting.shift();
    if (waiting) {
      waiting.resolve({ done: false, value });
    } else if (this.#values.length < this.#options.bound) {
      this.#values.push(value);
    } else {
      this.fail(this.#options.overflow());
      this.#release();
    }
  }

  /** There are no more values. */
  finish(): void {
    if (this.#state !== 'open') return;
    this.#state = 'finished';
    for (const { resolve } of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
  }

  /** The source failed: the consumer is told after the values that came before. */
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

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#options.onEnd();
  }
}
