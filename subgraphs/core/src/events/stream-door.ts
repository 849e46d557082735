/** How every stream for a subscriber begins and ends: its cursor is looked at, the tailer awaited, and it ends with the process. */
import { decodeCursor, invalidCursor, secondsOf } from './cursor.js';
import { linkSignals } from './linked-signal.js';

/** What {@link StreamDoor} is made of. */
export interface StreamDoorOptions {
  /** Resolves when the event stream was heard of for the first time. */
  readonly opened: Promise<void>;
  /** The place up to which everything was read. */
  readonly head: () => string;
  /** Aborted when all streams are to end. */
  readonly ending: AbortSignal;
}

/** Where a stream begins. */
export interface StreamStart {
  readonly place: string;
  /** False for one that begins with what happens from now on. */
  readonly isResumed: boolean;
  readonly signal: AbortSignal;
}

/** Another process may have read a little further than this one; a place further ahead is of another store. */
const aheadSeconds = 600;

/** See the head of this file. */
export class StreamDoor {
  readonly #options: StreamDoorOptions;

  constructor(options: StreamDoorOptions) {
    this.#options = options;
  }

  /** Runs a stream from a cursor on, or from now, until the caller's signal or the process ends it. @throws DomainError CURSOR_INVALID */
  async *through<T>(
    after: string | null | undefined,
    signal: AbortSignal | undefined,
    stream: (start: StreamStart) => AsyncGenerator<T, void, undefined>,
  ): AsyncGenerator<T, void, undefined> {
    const { opened, head, ending } = this.#options;
    const isResumed = typeof after === 'string';
    const given = isResumed ? decodeCursor(after) : undefined;
    await opened;
    const place = given ?? head();
    if (secondsOf(place) > secondsOf(head()) + aheadSeconds) throw invalidCursor(after ?? '');
    const tie = linkSignals([signal, ending]);
    try {
      yield* stream({ place, isResumed, signal: tie.signal });
    } finally {
      tie.release();
    }
  }
}
