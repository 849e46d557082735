import { type DirectSource, type Following, SharedEvent } from '@rhizome/subgraph';

/** An event of a test's log: one object for all followers. */
class LoggedEvent extends SharedEvent {
  readonly cursor: string;
  /** The id of the item that changed; null in the message that opens a stream. */
  readonly itemId: string | null;

  constructor(cursor: string, itemId: string | null) {
    super();
    this.cursor = cursor;
    this.itemId = itemId;
  }
}

/**
 * The events of a test's subgraph in order, readable from any cursor: what a real subgraph reads from its
 * database.
 */
export class EventLog {
  readonly #events: LoggedEvent[] = [];
  readonly #followers = new Set<Follower>();
  /** Number of streams opened so far. */
  opened = 0;
  /** Cursors with which streams were opened, in order. */
  readonly openedAfter: (string | undefined)[] = [];
  /** True if nothing more will come: streams end after the existing events. */
  isOver = false;
  /** Oldest position from which a stream can still continue. */
  forgottenBelow = 0;

  /** Number of open streams. */
  get open(): number {
    return this.#followers.size;
  }

  /** Number of events so far. */
  get length(): number {
    return this.#events.length;
  }

  /** The cursor of the newest event. */
  get cursor(): string {
    return `c${this.#events.length}`;
  }

  append(itemId: string): string {
    const event = new LoggedEvent(`c${this.#events.length + 1}`, itemId);
    this.#events.push(event);
    for (const follower of this.#followers) follower.append(event);
    return event.cursor;
  }

  /** As {@link follow} from now on, but each message is the current `value`, including the first. */
  followWith<T>(value: (event: LoggedEvent) => T): AsyncIterableIterator<T> {
    return map(this.follow(undefined), value);
  }

  /** The ids of items from now on, without an opening message. */
  followEvents<T>(value: (id: string) => T): AsyncIterableIterator<T> {
    const follower = this.follow(undefined);
    follower.tryNext();
    return map(follower, ({ itemId }) => value(String(itemId)));
  }

  /** The number of events so far first, then 1 for each further event. */
  followTally<T>(value: (count: number) => T): AsyncIterableIterator<T> {
    const { length } = this;
    return map(this.follow(undefined), ({ itemId }) => value(itemId === null ? length : 1));
  }

  /** Events from now on, or after a cursor; the first message carries the cursor only. */
  follow(after: string | undefined): Follower {
    const from = after === undefined ? this.#events.length : Number(after.slice(1));
    this.opened++;
    this.openedAfter.push(after);
    const opening = new LoggedEvent(after ?? this.cursor, null);
    const follower = new Follower([opening, ...this.#events.slice(from)], () =>
      this.#followers.delete(follower),
    );
    this.#followers.add(follower);
    if (this.isOver) void follower.return();
    return follower;
  }

  /** Fails every open stream, as when a connection breaks. */
  breakAll(error: Error): void {
    for (const follower of [...this.#followers]) follower.fail(error);
  }

  /** Ends every open stream in order. */
  endAll(): void {
    for (const follower of [...this.#followers]) void follower.return();
  }
}

type Next = IteratorResult<LoggedEvent, undefined>;
const done: Next = { done: true, value: undefined };

/** One open stream of an {@link EventLog}, which can be read directly like streams of core. */
class Follower implements AsyncIterableIterator<LoggedEvent>, DirectSource<LoggedEvent> {
  readonly #ready: LoggedEvent[];
  readonly #gone: () => void;
  #waiting: { resolve: (next: Next) => void; reject: (error: Error) => void } | undefined;
  #error: Error | undefined;
  #isEnded = false;
  #listener: () => void = () => undefined;

  constructor(ready: LoggedEvent[], gone: () => void) {
    this.#ready = ready;
    this.#gone = gone;
  }

  tryNext(): LoggedEvent | undefined {
    return this.#ready.shift();
  }

  follow(listener: () => void): Following {
    if (this.#ready.length > 0) return 'take';
    if (this.#isEnded) return 'ask';
    this.#listener = listener;
    return 'wait';
  }

  append(event: LoggedEvent): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting.resolve({ done: false, value: event });
    else this.#ready.push(event);
    this.#listener();
  }

  fail(error: Error): void {
    this.#gone();
    this.#isEnded = true;
    this.#error = error;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) {
      this.#error = undefined;
      waiting.reject(error);
    }
    this.#listener();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Next> {
    const event = this.#ready.shift();
    if (event) return Promise.resolve({ done: false, value: event });
    if (this.#error) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#isEnded) return Promise.resolve(done);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  return(): Promise<Next> {
    this.#gone();
    this.#isEnded = true;
    this.#waiting?.resolve(done);
    this.#waiting = undefined;
    this.#listener();
    return Promise.resolve(done);
  }
}

function map<T>(follower: Follower, value: (event: LoggedEvent) => T): AsyncIterableIterator<T> {
  const mapped: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => mapped,
    next: async () => {
      const item = await follower.next();
      return item.done ? item : { done: false, value: value(item.value) };
    },
    return: async () => {
      await follower.return();
      return { done: true, value: undefined };
    },
  };
  return mapped;
}
