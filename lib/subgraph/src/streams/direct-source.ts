/** Result of {@link DirectSource.follow}. */
export type Following =
  /** An item may be available already: call `tryNext`. */
  | 'take'
  /** The listener is called as soon as an item may be available, and each time after that. */
  | 'wait'
  /** The source cannot be read directly now, or has ended: call `next`. */
  | 'ask';

/**
 * An iterator that can also be read without a promise for each item, which is most of the cost of a stream if
 * thousands wait for one event. A reader calls `tryNext` until nothing is available, then `follow`; it calls
 * `next` for the first item, and whenever `follow` says so. It does one or the other: `tryNext` is not
 * allowed while a `next` is pending. The listener may be called without a new item, and is called
 * synchronously by the producer of the item: it must not throw.
 */
export interface DirectSource<T> extends AsyncIterator<T, unknown, undefined> {
  /** The next item, if it is available; undefined does not mean the end. */
  tryNext(): T | undefined;
  /** Sets the listener that is called from now on, in place of the previous one. */
  follow(listener: () => void): Following;
}

/** True if an iterator can be read directly. */
export function isDirect<T>(source: AsyncIterator<T, unknown, undefined>): source is DirectSource<T> {
  return 'tryNext' in source && 'follow' in source;
}

/** A hand-written generator that can be read directly: ending it early always uses its `return`. */
export abstract class DirectGenerator<T> implements AsyncGenerator<T, void, undefined>, DirectSource<T> {
  abstract tryNext(): T | undefined;
  abstract follow(listener: () => void): Following;
  abstract next(): Promise<IteratorResult<T, void>>;
  abstract return(): Promise<IteratorResult<T, void>>;

  async throw(error: unknown): Promise<IteratorResult<T, void>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
