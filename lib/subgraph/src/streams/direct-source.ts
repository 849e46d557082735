/** Result of {@link DirectSource.follow}. */
export type Following =
  /** Something may be there already: take it. */
  | 'take'
  /** The listener is called as soon as something may be there, and each time after that. */
  | 'wait'
  /** It cannot be read directly now, or has ended: `next` says what follows. */
  | 'ask';

/**
 * An iterator that can also be read without a promise for each item, which is most of what a stream costs where thousands wait for one event.
 * A reader takes until nothing is there, then follows; it asks `next` for the first item, and whenever it is told to. It does one or the
 * other: nothing may be taken while a `next` is under way. The listener may be called without a new item, and is called within whatever brought the item:
 * it must not throw.
 */
export interface DirectSource<T> extends AsyncIterator<T, unknown, undefined> {
  /** The next item, if it is there; undefined tells nothing of the end. */
  take(): T | undefined;
  /** Names the listener who is called from now on, instead of any before. */
  follow(listener: () => void): Following;
}

/** Whether an iterator can be read directly. */
export function isDirect<T>(source: AsyncIterator<T, unknown, undefined>): source is DirectSource<T> {
  return 'take' in source && 'follow' in source;
}

/** A generator written out by hand that can be read directly: however it is ended early, that is by its `return`. */
export abstract class DirectGenerator<T> implements AsyncGenerator<T, void, undefined>, DirectSource<T> {
  abstract take(): T | undefined;
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
