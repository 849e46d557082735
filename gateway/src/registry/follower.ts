/** Follows the registry: whichever gateway publishes, all serve what is live. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@rhizome/log';
import type { RegistryRepository } from './store/registry.repository.js';

/** What a follower is handed. */
export interface FollowerOptions {
  readonly repository: RegistryRepository;
  readonly log: Logger;
  /** Called when something may have changed; the next call waits for its end. */
  readonly look: () => Promise<void>;
}

const shortestPauseMs = 100;
const longestPauseMs = 5_000;

/** Looks once at the beginning, and again after whatever is written; goes on after a store that was away. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #stream: Awaited<ReturnType<RegistryRepository['watch']>> | undefined;
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
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.#follow(() => (failures = 0));
      } catch (error) {
        if (signal.aborted) return;
        this.#connected = false;
        failures++;
        this.#options.log.warn(
          { err: error, failures },
          'the schema registry cannot be followed; trying again',
        );
      }
      const pause = Math.min(longestPauseMs, shortestPauseMs * 2 ** Math.min(failures, 10));
      await delay(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  /** The stream begins before the first look, so that nothing lies between the two. What comes during a look is seen by one more. */
  async #follow(worked: () => void): Promise<void> {
    const { repository, look } = this.#options;
    const stream = (this.#stream = await repository.watch());
    const news = new News();
    stream.on('change', () => news.tell());
    stream.on('error', (error) => news.fail(error));
    stream.on('close', () => news.fail(new Error('the change stream was closed')));
    try {
      while (!this.#stop.signal.aborted) {
        await look();
        this.#connected = true;
        worked();
        await news.next();
      }
    } finally {
      await stream.close().catch(() => undefined);
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
