import type { SubgraphResult, SubgraphStream } from '@rhizome/federation';

type Item = IteratorResult<SubgraphResult, unknown>;
const over: Item = { done: true, value: undefined };

/** A subscription that opens when its first event is requested, through a guard that counts if that works. */
export class GuardedStream implements AsyncIterableIterator<SubgraphResult> {
  readonly #open: () => SubgraphStream;
  readonly #guard: (opening: () => Promise<void>) => Promise<void>;
  #events: AsyncIterator<SubgraphResult> | undefined;
  #isAsked = false;
  #isEnded = false;

  /**
   * `guard` runs or refuses an opening, which succeeds when the connection is open or the first event has
   * arrived.
   */
  constructor(open: () => SubgraphStream, guard: (opening: () => Promise<void>) => Promise<void>) {
    this.#open = open;
    this.#guard = guard;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Item> {
    if (this.#isEnded) return over;
    if (this.#isAsked) return this.#events?.next() ?? over;
    this.#isAsked = true;
    let first: Promise<Item> | undefined;
    await this.#guard(async () => {
      if (this.#isEnded) return;
      const stream = this.#open();
      this.#events = stream[Symbol.asyncIterator]();
      first = this.#events.next();
      await (stream.opened ? Promise.race([first, stream.opened]) : first);
    });
    return first ?? over;
  }

  async return(): Promise<Item> {
    this.#isEnded = true;
    await this.#events?.return?.();
    return over;
  }
}
