/** Follows the registry: whichever gateway publishes, all serve what is live. */
import type { Logger } from '@rhizome/log';
import { Backoff, sleep } from '@rhizome/retry';
import type { RegistryRepository } from './store/registry.repository.js';

/** What a follower is handed. */
export interface FollowerOptions {
  readonly repository: RegistryRepository;
  readonly log: Logger;
  /** Called when something may have changed; the next call waits for its end. */
  readonly look: () => Promise<void>;
}

type Stream = Awaited<ReturnType<RegistryRepository['watch']>>;

const askEveryMs = 100;

/** Looks once at the beginning, and again after whatever is written; goes on after a store that was away. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #stream: Stream | undefined;
  #connected = true;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** Whether changes are seen at present. */
  get isConnected(): boolean {
    return this.#connected;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#stream?.close().catch(() => undefined);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        await this.#follow(() => backoff.reset());
      } catch (error) {
        if (signal.aborted) return;
        this.#connected = false;
        const waitMs = backoff.next();
        const { failures } = backoff;
        this.#options.log.warn({ err: error, failures, waitMs }, 'schema registry not followed; retrying');
        await sleep(waitMs, signal);
      }
    }
  }

  /** The stream begins before the first look, so that nothing lies between the two. What comes during a look is seen by one more. */
  async #follow(worked: () => void): Promise<void> {
    const { repository, look } = this.#options;
    const stream = (this.#stream = await repository.watch());
    const news = new News();
    const reading = this.#read(stream, news);
    try {
      while (!this.#stop.signal.aborted) {
        await look();
        this.#connected = true;
        worked();
        await news.next();
      }
    } finally {
      await stream.close().catch(() => undefined);
      await reading;
    }
  }

  /** Asks now and then: a question that is left open with the server is woken by every write of the whole store, thousands a second. */
  async #read(stream: Stream, news: News): Promise<void> {
    try {
      while (!stream.closed) {
        if (await stream.tryNext()) news.tell();
        else if (!(await sleep(askEveryMs, this.#stop.signal))) break;
      }
      news.fail(new Error('the change stream was closed'));
    } catch (error) {
      news.fail(error);
    }
  }
}

/** Whether there is something new; several pieces of news are one. */
class News {
  #told = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => undefined;

  tell(): void {
    this.#told = true;
    this.#wake();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  /** Resolves when there is news; rejects when no more can come. */
  async next(): Promise<void> {
    if (!this.#told && !this.#failure) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#failure) throw this.#failure.error;
    this.#told = false;
  }
}
