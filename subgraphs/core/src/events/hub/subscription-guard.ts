/**
 * Common start and end of every stream for a subscriber: checks the cursor, waits for the tailer, and ends
 * the stream with the process.
 */
import { secondsOf } from '@rhizome/mongo';
import { decodeCursor, invalidCursor } from '../feed/cursor.js';
import { DirectGenerator, type DirectSource, type Following, isDirect } from '@rhizome/subgraph';
import { linkSignals } from './linked-signal.js';

/** Dependencies of {@link SubscriptionGuard}. */
export interface SubscriptionGuardOptions {
  /** Resolves after the first answer of the event stream. */
  readonly opened: Promise<void>;
  /** The position up to which everything was read. */
  readonly head: () => string;
  /** Aborted when all streams must end. */
  readonly ending: AbortSignal;
}

/** Start of a stream. */
export interface StreamStart {
  readonly position: string;
  /** False for a stream that begins with future events. */
  readonly isResumed: boolean;
  readonly signal: AbortSignal;
}

/**
 * Another process may have read a little further than this one; a position further ahead belongs to another
 * store.
 */
const aheadSeconds = 600;

/** Guards the streams of subscribers. */
export class SubscriptionGuard {
  readonly #options: SubscriptionGuardOptions;

  constructor(options: SubscriptionGuardOptions) {
    this.#options = options;
  }

  /**
   * A stream from a cursor, or from now, until the caller's signal or the process ends it. Its first message
   * may be CURSOR_INVALID, thrown as a DomainError.
   */
  through<T>(
    after: string | null | undefined,
    signal: AbortSignal | undefined,
    stream: (start: StreamStart) => AsyncGenerator<T, void, undefined>,
  ): AsyncGenerator<T, void, undefined> {
    const own = new AbortController();
    const tie = linkSignals([signal, this.#options.ending, own.signal]);
    const open = async (): Promise<AsyncGenerator<T, void, undefined>> =>
      stream({ ...(await this.#start(after)), signal: tie.signal });
    return new GuardedStream(open, () => {
      own.abort();
      tie.release();
    });
  }

  async #start(after: string | null | undefined): Promise<Omit<StreamStart, 'signal'>> {
    const { opened, head } = this.#options;
    const isResumed = typeof after === 'string';
    const given = isResumed ? decodeCursor(after) : undefined;
    await opened;
    const position = given ?? head();
    if (secondsOf(position) > secondsOf(head()) + aheadSeconds) throw invalidCursor(after ?? '');
    return { position, isResumed };
  }
}

/**
 * Opens its source at the first call, and releases everything at the end, however it ends. It adds no layer
 * to the messages.
 */
class GuardedStream<T> extends DirectGenerator<T> {
  readonly #open: () => Promise<AsyncGenerator<T, void, undefined>>;
  readonly #release: () => void;
  #opening: Promise<AsyncGenerator<T, void, undefined>> | undefined;
  #source: AsyncGenerator<T, void, undefined> | undefined;
  #direct: DirectSource<T> | undefined;
  #isEnded = false;

  constructor(open: () => Promise<AsyncGenerator<T, void, undefined>>, release: () => void) {
    super();
    this.#open = open;
    this.#release = release;
  }

  async next(): Promise<IteratorResult<T, void>> {
    if (this.#isEnded) return { done: true, value: undefined };
    try {
      if (!this.#source) {
        this.#source = await (this.#opening ??= this.#open());
        if (isDirect(this.#source)) this.#direct = this.#source;
      }
      const item = await this.#source.next();
      if (item.done) this.#end();
      return item;
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  tryNext(): T | undefined {
    return this.#isEnded ? undefined : this.#direct?.tryNext();
  }

  follow(listener: () => void): Following {
    return this.#isEnded ? 'ask' : (this.#direct?.follow(listener) ?? 'ask');
  }

  async return(): Promise<IteratorResult<T, void>> {
    this.#end();
    const source = this.#source ?? (await this.#opening?.catch(() => undefined));
    await source?.return();
    return { done: true, value: undefined };
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#release();
  }
}
