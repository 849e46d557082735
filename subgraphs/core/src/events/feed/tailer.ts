/** The one reader of the change stream in this process. It goes on after every fault, from where it was. */
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { isStreamLost } from '@rhizome/mongo';
import { Backoff, sleep } from '@rhizome/retry';
import type { ChangeFeed, FeedBatch, FeedStart } from './change-feed.repository.js';

/** What {@link Tailer} is made of. */
export interface TailerOptions {
  readonly feed: ChangeFeed;
  readonly clock: Clock;
  readonly log: Logger;
  /** Takes what was read; must not wait. */
  readonly take: (batch: FeedBatch) => void;
  /** The stream cannot go on from its place: derives what hangs on it anew and says from where to read. May be tried again. */
  readonly recover: (signal: AbortSignal) => Promise<FeedStart>;
}

/** A stream that has been silent for so long is not alive: an idle one tells its place twice a second. */
const silentMs = 10_000;

/** See the head of this file. */
export class Tailer {
  readonly #options: TailerOptions;
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;
  #lastHeardMs = -Infinity;
  #opened!: () => void;
  #failed!: (error: unknown) => void;
  /** Resolves when the stream was heard of for the first time. */
  readonly opened = new Promise<void>((resolve, reject) => {
    this.#opened = resolve;
    this.#failed = reject;
  });

  constructor(options: TailerOptions) {
    this.#options = options;
    this.opened.catch(() => undefined);
  }

  /** Whether the stream was heard of lately. */
  get isAlive(): boolean {
    return this.#options.clock.monotonicMs() - this.#lastHeardMs < silentMs;
  }

  /** Reads on from here, by itself, until it is stopped. */
  start(from: FeedStart): void {
    this.#running ??= this.#run(from);
  }

  /** Stops reading. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#failed(new DomainError('SHUTTING_DOWN', 'The event stream was stopped'));
    await this.#running;
  }

  async #run(from: FeedStart): Promise<void> {
    const { feed, take, clock, log } = this.#options;
    const { signal } = this.#abort;
    let start = from;
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        for await (const batch of feed.read({ start, notices: true, signal })) {
          take(batch);
          start = { after: batch.position };
          backoff.reset();
          this.#lastHeardMs = clock.monotonicMs();
          this.#opened();
        }
        if (!signal.aborted) throw new Error('the change stream ended');
      } catch (err) {
        if (signal.aborted) return;
        start = await this.#mend(err, start);
        const waitMs = backoff.next();
        log.warn({ err, waitMs }, 'event stream broke; it is opened again');
        await sleep(waitMs, signal);
      }
    }
  }

  /** Where to go on after a fault. */
  async #mend(error: unknown, start: FeedStart): Promise<FeedStart> {
    if (!isStreamLost(error)) return start;
    const { recover, log } = this.#options;
    log.error({ err: error }, 'event stream cannot go on from its place; counts are made anew');
    try {
      return await recover(this.#abort.signal);
    } catch (err) {
      if (!this.#abort.signal.aborted) log.error({ err }, 'counts could not be made anew');
      return start;
    }
  }
}
