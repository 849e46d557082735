import { type DirectSource, type Following, isDirect } from './direct-source.js';
import type { MaybePromise, SubgraphResult } from '../types.js';

/** Callbacks of a {@link ResultStream}. */
export interface ResultStreamOptions {
  /** Opens the source; if it returns a result instead, that is the stream's only one. */
  readonly open: (signal: AbortSignal) => Promise<AsyncIterable<unknown> | { readonly only: SubgraphResult }>;
  /** Answers one event of the source. Never rejects or throws. */
  readonly answer: (event: unknown, signal: AbortSignal) => MaybePromise<SubgraphResult>;
  /** The stream's last result if opening or reading the source fails. */
  readonly failed: (error: unknown) => SubgraphResult;
  /** Ends the stream from outside. */
  readonly signal?: AbortSignal | undefined;
}

type Item = IteratorResult<SubgraphResult, void>;

const done: Item = { value: undefined, done: true };

/**
 * The answers of a subscription, one event after the other. Unlike an async generator it can be ended while
 * it waits: `return()` settles pending calls at once, aborts the signal that the source was opened with, and
 * ends the source.
 */
export class ResultStream
  implements AsyncGenerator<SubgraphResult, void, undefined>, DirectSource<MaybePromise<SubgraphResult>>
{
  readonly #options: ResultStreamOptions;
  readonly #controller = new AbortController();
  readonly #abort = () => this.end();
  #source: AsyncIterator<unknown> | undefined;
  #opened = false;
  #ended = false;
  #last: SubgraphResult | undefined;
  #settle: ((item: Item) => void) | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #onEnd: (() => void) | undefined;
  /** The source, if it can be read directly. */
  #direct: DirectSource<unknown> | undefined;
  #listener: (() => void) | undefined;

  constructor(options: ResultStreamOptions) {
    this.#options = options;
    if (options.signal?.aborted) this.end();
    else options.signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** Calls back once when the stream has ended, for any reason. */
  onEnd(callback: () => void): void {
    if (this.#ended) callback();
    else this.#onEnd = callback;
  }

  /** Ends the stream; `last` is still returned. */
  end(last?: SubgraphResult): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#last = last;
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#controller.abort();
    this.#endSource();
    this.#onEnd?.();
    const settle = this.#settle;
    if (settle) settle(this.#removeLast());
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.();
  }

  next(): Promise<Item> {
    const item = this.#queue.then(() => this.#pull());
    this.#queue = item;
    return item;
  }

  tryNext(): MaybePromise<SubgraphResult> | undefined {
    const event = this.#direct?.tryNext();
    return event === undefined ? undefined : this.#options.answer(event, this.#controller.signal);
  }

  follow(listener: () => void): Following {
    if (this.#ended || !this.#direct) return 'ask';
    this.#listener = listener;
    return this.#direct.follow(listener);
  }

  async return(): Promise<Item> {
    this.end();
    this.#last = undefined;
    return done;
  }

  async throw(error: unknown): Promise<Item> {
    this.end();
    throw error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #removeLast(): Item {
    const last = this.#last;
    this.#last = undefined;
    return last ? { value: last, done: false } : done;
  }

  /** One item; settled early when the stream is ended. Never rejects. */
  #pull(): Promise<Item> {
    if (this.#ended) return Promise.resolve(this.#removeLast());
    return new Promise((resolve) => {
      this.#settle = resolve;
      void this.#read()
        .catch((error: unknown) => {
          this.end(this.#options.failed(error));
          return done;
        })
        .then((item) => {
          this.#settle = undefined;
          // If the stream has ended meanwhile, the promise is settled already and this has no effect.
          resolve(item);
        });
    });
  }

  async #read(): Promise<Item> {
    const { signal } = this.#controller;
    if (!this.#opened) {
      this.#opened = true;
      const found = await this.#options.open(signal);
      if ('only' in found) {
        this.end(found.only);
        return done;
      }
      this.#source = found[Symbol.asyncIterator]();
      if (isDirect(this.#source)) this.#direct = this.#source;
      if (this.#ended) this.#endSource();
    }
    if (this.#ended || !this.#source) return done;
    const item = await this.#source.next();
    if (this.#ended) return done;
    if (item.done) {
      this.end();
      return done;
    }
    return { value: await this.#options.answer(item.value, signal), done: false };
  }

  /** Not awaited: a source that waits for its next event may notice late. */
  #endSource(): void {
    const source = this.#source;
    this.#source = undefined;
    this.#direct = undefined;
    if (source?.return) Promise.resolve(source.return()).catch(() => undefined);
  }
}
