/** A stream that is pushed into: what is not taken yet waits, in order. A reader that falls too far behind is ended, and comes again. */

const maxWaiting = 10_000;

/** See the head of this file. */
export class PushStream<T> implements AsyncIterableIterator<T> {
  readonly #waiting: T[] = [];
  readonly #takers: ((result: IteratorResult<T, undefined>) => void)[] = [];
  readonly #onClosed: () => void;
  #isEnded = false;

  /** @param onClosed called once, when its reader is gone or it was ended */
  constructor(onClosed: () => void) {
    this.#onClosed = onClosed;
  }

  /** Puts one in; after the end it is dropped. */
  push(value: T): void {
    if (this.#isEnded) return;
    const taker = this.#takers.shift();
    if (taker) taker({ value, done: false });
    else if (this.#waiting.push(value) > maxWaiting) this.end();
  }

  /** Ends it: what waits is still taken. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const taker of this.#takers.splice(0)) taker({ value: undefined, done: true });
    this.#onClosed();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const value = this.#waiting.shift();
    if (value !== undefined) return Promise.resolve({ value, done: false });
    if (this.#isEnded) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#waiting.length = 0;
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    this.end();
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
