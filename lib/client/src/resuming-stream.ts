import type { FormattedExecutionResult, SubscribePayload } from 'graphql-ws';
import { fromGraphQLErrors, isRhizomeApiError, RhizomeApiError } from './api-error.js';
import { sleep } from '@rhizome/retry';
import { type RetrySettings, waitBefore } from './retry-options.js';
import type { SocketTransport } from './socket-transport.js';
import type { Tokens } from './token-source.js';

type Result = FormattedExecutionResult<Record<string, unknown>>;

/** A stream is opened again. */
export interface Reconnecting {
  /** 1 for the first time since the last event. */
  readonly attempt: number;
  /** The time until then. */
  readonly waitMs: number;
  /** Reason of the close. */
  readonly error: RhizomeApiError;
  /** Where it goes on; undefined at the beginning, and for streams that cannot be resumed. */
  readonly cursor: string | undefined;
}

/** Gap in a stream: events in between are lost, and the consumer must read the current state again. */
export interface SnapshotTaken {
  /** Reason of the gap. */
  readonly error: RhizomeApiError;
  /**
   * The last cursor, which the server no longer reaches back to; undefined for streams that begin with the
   * present.
   */
  readonly lostAfter: string | undefined;
  /** Cursor to continue from; undefined if the stream has no cursor. */
  readonly cursor: string | undefined;
}

/** Where a stream is opened: after a cursor, as its caller said, or with what happens from now on. */
export interface OpenAt {
  readonly cursor: string | undefined;
  readonly isFresh: boolean;
}

/** Options of a stream that is kept open. */
export interface ResumingStreamOptions<TData> {
  readonly socket: SocketTransport;
  readonly tokens: Tokens;
  readonly backoff: RetrySettings;
  readonly query: string;
  readonly operationName: string | undefined;
  /** The variables, given where the stream shall go on. */
  readonly variables: (at: OpenAt) => Record<string, unknown>;
  readonly cursorOf: ((data: TData) => string | null | undefined) | undefined;
  readonly onReconnect: ((event: Reconnecting) => void) | undefined;
  /** Without it a resumable stream throws CURSOR_EXPIRED. */
  readonly onSnapshot: ((event: SnapshotTaken) => void | Promise<void>) | undefined;
  readonly onErrors: ((errors: readonly RhizomeApiError[]) => void) | undefined;
  /** Called once when the stream has ended. */
  readonly onEnd: () => void;
  readonly signal: AbortSignal | undefined;
  readonly requestId: string;
}

/** A token that is refused sooner after its renewal is refused whatever its age, in milliseconds. */
const servedMs = 500;

/**
 * The data of a subscription, opened again, after its last cursor, whenever it breaks. It ends when the
 * server completes it or `end` is called, and throws what trying again cannot mend.
 */
export class ResumingStream<TData> implements AsyncIterableIterator<TData> {
  readonly #options: ResumingStreamOptions<TData>;
  readonly #ending = new AbortController();
  readonly #onAbort = () => this.end();
  readonly #data: AsyncGenerator<TData, void, undefined>;
  #open: AsyncIterator<unknown> | undefined;
  #cursor: string | undefined;
  #attempt = 0;
  #renewedAt = -Infinity;
  /** Set while the stream is opened again without its history; reported before the first message. */
  #lost: Omit<SnapshotTaken, 'cursor'> | undefined;
  #wasOpen = false;

  constructor(options: ResumingStreamOptions<TData>) {
    this.#options = options;
    this.#data = this.#run();
    if (options.signal?.aborted) this.end();
    else options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  next(): Promise<IteratorResult<TData, void>> {
    return this.#data.next();
  }

  async return(): Promise<IteratorResult<TData, void>> {
    this.end();
    await this.#data.return();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the stream at once, also while it waits for an event or for its next attempt. */
  end(): void {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#options.onEnd();
    void Promise.resolve(this.#open?.return?.()).catch(() => undefined);
  }

  async *#run(): AsyncGenerator<TData, void, undefined> {
    const { signal } = this.#ending;
    try {
      while (!signal.aborted) {
        try {
          yield* this.#read();
          return;
        } catch (error) {
          if (signal.aborted) return;
          if (!isRhizomeApiError(error)) throw error;
          await this.#recover(error);
        }
      }
    } finally {
      this.end();
    }
  }

  async *#read(): AsyncGenerator<TData, void, undefined> {
    const results = this.#options.socket.open(this.#payload());
    this.#open = results;
    for (let item = await this.#next(results); !item.done; item = await this.#next(results)) {
      if (this.#ending.signal.aborted) return;
      const data = this.#dataOf(item.value);
      this.#attempt = 0;
      this.#wasOpen = true;
      await this.#reportSnapshot(data);
      yield data;
      // Only now: an event whose consumer failed counts as not seen.
      this.#cursor = this.#options.cursorOf?.(data) ?? this.#cursor;
    }
  }

  async #next(results: AsyncIterator<Result>): Promise<IteratorResult<Result>> {
    try {
      return await results.next();
    } catch (thrown) {
      throw this.#options.socket.explain(thrown);
    }
  }

  /** The variables are read when they are sent: the socket's library may send them again by itself. */
  #payload(): SubscribePayload {
    const { query, operationName, variables, requestId } = this.#options;
    const current = (): Record<string, unknown> =>
      variables({ cursor: this.#cursor, isFresh: this.#lost !== undefined });
    return {
      query,
      ...(operationName === undefined ? {} : { operationName }),
      get variables() {
        return current();
      },
      extensions: { requestId },
    };
  }

  /** An event without data is a failure of the stream; errors next to data belong to the event. */
  #dataOf({ data, errors = [] }: Result): TData {
    const failures = fromGraphQLErrors(errors, this.#options.requestId);
    if (data && Object.values(data).some((value) => value !== null)) {
      if (failures.length > 0) this.#options.onErrors?.(failures);
      return data as TData;
    }
    const failure = RhizomeApiError.firstOf(failures);
    if (failure) throw failure;
    return data as TData;
  }

  /** Lets the consumer read the current state before it gets later events. */
  async #reportSnapshot(data: TData): Promise<void> {
    const lost = this.#lost;
    this.#lost = undefined;
    if (!lost) return;
    const cursor = this.#options.cursorOf?.(data) ?? undefined;
    await this.#options.onSnapshot?.({ ...lost, cursor });
  }

  /** Records the lost history. @returns true if the stream can start again nevertheless */
  #loses(error: RhizomeApiError): boolean {
    const { cursorOf, onSnapshot } = this.#options;
    const isExpired = error.code === 'CURSOR_EXPIRED';
    if (cursorOf ? !isExpired || !onSnapshot : !this.#wasOpen) return false;
    this.#lost = { error, lostAfter: this.#cursor };
    this.#cursor = undefined;
    return isExpired;
  }

  /** A token that served for some time counts as a success, also if the stream had no event meanwhile. */
  #mayRenew({ code }: RhizomeApiError): boolean {
    if (code !== 'TOKEN_EXPIRED' || !this.#options.tokens.canRenew) return false;
    const now = performance.now();
    if (now - this.#renewedAt >= servedMs) this.#attempt = 1;
    this.#renewedAt = now;
    return this.#attempt <= 2;
  }

  /** Waits for the next attempt; throws the error where none would help. */
  async #recover(error: RhizomeApiError): Promise<void> {
    const { backoff, tokens, socket, onReconnect } = this.#options;
    this.#attempt += 1;
    const renew = this.#mayRenew(error);
    if (renew) {
      tokens.expire();
      socket.drop();
    }
    const restarts = this.#loses(error);
    const mayRetry = renew || restarts || error.retry !== 'never';
    if (!mayRetry || this.#attempt > backoff.attempts) throw error;
    const waitMs = waitBefore(this.#attempt, renew || restarts ? { retry: 'now' } : error, backoff);
    onReconnect?.({ attempt: this.#attempt, waitMs, error, cursor: this.#cursor });
    await sleep(waitMs, this.#ending.signal);
  }
}
