/** The only reader of the change stream in this process. After every error it continues at its position. */
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { isStreamLost } from '@rhizome/mongo';
import { Backoff, sleep } from '@rhizome/retry';
import type { ChangeFeed, FeedBatch, FeedStart } from './change-feed.repository.js';

/** Dependencies of {@link Tailer}. */
export interface TailerOptions {
  readonly feed: ChangeFeed;
  readonly clock: Clock;
  readonly log: Logger;
  /** Processes a batch; must not block. */
  readonly take: (batch: FeedBatch) => void;
  /**
   * Called when the stream cannot continue at its position: derives dependent data again, and returns where
   * to read from. May be called again.
   */
  readonly recover: (signal: AbortSignal) => Promise<FeedStart>;
}

/**
 * Time after which a silent stream is not alive, in milliseconds: an idle stream reports its position twice a
 * second.
 */
const silentMs = 10_000;

/** Reads the change stream until it is stopped. */
export class Tailer {
  readonly #options: TailerOptions;
  readonly #abort = new AbortController();
  #running: Promise<void> | undefined;
  #lastHeardMs = -Infinity;
  #opened!: () => void;
  #failed!: (error: unknown) => void;
  /** Resolves after the first answer of the stream. */
  readonly opened = new Promise<void>((resolve, reject) => {
    this.#opened = resolve;
    this.#failed = reject;
  });

  constructor(options: TailerOptions) {
    this.#options = options;
    this.opened.catch(() => undefined);
  }

  /** True if the stream answered recently. */
  get isAlive(): boolean {
    return this.#options.clock.monotonicMs() - this.#lastHeardMs < silentMs;
  }

  /** Reads from this position until it is stopped. */
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
        log.warn({ err, waitMs }, 'event stream interrupted; reopening');
        await sleep(waitMs, signal);
      }
    }
  }

  /** Returns where to continue after an error. */
  async #mend(error: unknown, start: FeedStart): Promise<FeedStart> {
    if (!isStreamLost(error)) return start;
    const { recover, log } = this.#options;
    log.error({ err: error }, 'event stream lost; counting all jobs again');
    try {
      return await recover(this.#abort.signal);
    } catch (err) {
      if (!this.#abort.signal.aborted) log.error({ err }, 'jobs could not be counted again');
      return start;
    }
  }
}
