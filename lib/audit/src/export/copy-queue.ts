/** Copies of the log that wait for another server. The log itself is in the store. */
import { Backoff, sleep } from '@rhizome/retry';
import type { Logger } from '@rhizome/log';

/** Numbers of the messages of a {@link CopyQueue} since the start of the process. */
export interface CopyFacts {
  /** Messages that the server got. */
  readonly sent: number;
  /** Messages that the server refused for good. */
  readonly refused: number;
  /** Messages that were dropped because too many waited. */
  readonly dropped: number;
  /** Writes that failed; their messages wait for the next one. */
  readonly failedWrites: number;
  /** Messages that wait now. */
  readonly waiting: number;
}

/** Sends messages to a server. */
export interface CopyChannel {
  /** The server in messages, such as `syslog server`. */
  readonly name: string;
  /**
   * Sends messages in order; they are sent again if it fails.
   * @returns number of messages that the server refused for good
   * @throws RetryLater to wait for a time that the server names
   */
  write(messages: readonly Buffer[], signal: AbortSignal): Promise<number>;
  /** Ends a connection after a failure. */
  disconnect(): void;
  /** Ends the connection at the end of the process. */
  close(): void;
}

/** Ports and settings of a {@link CopyQueue}. */
export interface CopyQueueOptions {
  readonly channel: CopyChannel;
  readonly log: Logger;
  /** Called with the number of messages that were dropped, once the server accepts messages again. */
  readonly onLost: (count: number) => void;
  /** Messages that wait for the server; further ones are dropped. Default 10,000. */
  readonly waitingMessages?: number | undefined;
}

/** A failure after which the server names a time to wait, in milliseconds. */
export class RetryLater extends Error {
  readonly waitMs: number;

  constructor(message: string, waitMs: number) {
    super(message);
    this.waitMs = waitMs;
  }
}

const defaultWaiting = 10_000;
/** Bytes that wait, whatever the number of messages. */
const mostBytes = 32 * 1024 * 1024;
const bytesPerWrite = 64 * 1024;
/** Time for the last messages at the end of the process, in milliseconds. */
const closeMs = 5_000;
/** Time for a server that reads nothing, in milliseconds. */
const writeMs = 30_000;
/** Longest wait that a server can ask for, in milliseconds. */
const longestWaitMs = 60_000;
const retryDelays = { initialDelayMs: 200, maxDelayMs: 10_000 };

/** Sends the messages of one process in order. No call waits for it. */
export class CopyQueue {
  readonly #options: CopyQueueOptions;
  readonly #backoff = new Backoff(retryDelays);
  readonly #stopping = new AbortController();
  #waiting: Buffer[] = [];
  #bytes = 0;
  /** Messages whose loss is not recorded yet. */
  #lost = 0;
  readonly #totals = { sent: 0, refused: 0, dropped: 0, failedWrites: 0 };
  #isFailing = false;
  #sending: Promise<void> | undefined;

  constructor(options: CopyQueueOptions) {
    this.#options = options;
  }

  get facts(): CopyFacts {
    return { ...this.#totals, waiting: this.#waiting.length };
  }

  /** Sends messages later. */
  send(messages: readonly Buffer[]): void {
    const { waitingMessages = defaultWaiting } = this.#options;
    for (const message of messages) {
      if (this.#waiting.length >= waitingMessages || this.#bytes + message.length > mostBytes) {
        this.#lost += 1;
        this.#totals.dropped += 1;
      } else {
        this.#waiting.push(message);
        this.#bytes += message.length;
      }
    }
    this.#start();
  }

  /** Sends what waits; gives up after some seconds. */
  async close(): Promise<void> {
    const { channel, log } = this.#options;
    const giveUp = setTimeout(() => this.#stopping.abort(), closeMs);
    this.#start();
    await this.#sending;
    clearTimeout(giveUp);
    this.#stopping.abort();
    const left = this.#waiting.length + this.#lost;
    if (left > 0) log.warn({ count: left }, `audit entries not sent to the ${channel.name}`);
    channel.close();
  }

  #start(): void {
    if (this.#stopping.signal.aborted) return;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
      if (this.#waiting.length > 0) this.#start();
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#stopping.signal.aborted) {
      const next = this.#waiting.slice(0, this.#countOfNext());
      const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(writeMs)]);
      try {
        signal.throwIfAborted();
        this.#written(next.length, await this.#options.channel.write(next, signal));
      } catch (error) {
        await this.#failed(error);
        continue;
      }
      this.#waiting.splice(0, next.length);
      this.#bytes -= next.reduce((sum, { length }) => sum + length, 0);
      this.#succeeded();
    }
  }

  #written(count: number, refused: number): void {
    this.#lost += refused;
    this.#totals.refused += refused;
    this.#totals.sent += count - refused;
  }

  /** Number of messages that fit into one write. */
  #countOfNext(): number {
    let bytes = 0;
    const count = this.#waiting.findIndex(({ length }) => (bytes += length) > bytesPerWrite);
    return count === -1 ? this.#waiting.length : Math.max(1, count);
  }

  async #failed(error: unknown): Promise<void> {
    const { channel, log } = this.#options;
    channel.disconnect();
    this.#totals.failedWrites += 1;
    if (!this.#isFailing && !this.#stopping.signal.aborted)
      log.error({ err: error }, `sending audit entries to the ${channel.name} failed; retrying`);
    this.#isFailing = true;
    const asked = error instanceof RetryLater ? Math.min(error.waitMs, longestWaitMs) : 0;
    await sleep(Math.max(this.#backoff.next(), asked), this.#stopping.signal);
  }

  #succeeded(): void {
    const { channel, log, onLost } = this.#options;
    this.#backoff.reset();
    if (this.#isFailing) log.info(`${channel.name} recovered`);
    this.#isFailing = false;
    if (this.#lost === 0) return;
    const count = this.#lost;
    this.#lost = 0;
    log.error({ count }, `audit entries not sent to the ${channel.name}`);
    onLost(count);
  }
}
