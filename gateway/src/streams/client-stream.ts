import type { ExecutionText } from '@rhizome/federation';
import type { EventRing, Position } from './event-ring.js';
import type { CatchUp, StreamEnd, StreamEvent, StreamRequest } from './types.js';

type Item = IteratorResult<StreamEvent, undefined>;
const done: Item = { done: true, value: undefined };

/** Takes a stream's events as they come. */
export interface StreamListener {
  /** Takes the next event; false: it wants no other before the stream is told to {@link ClientStream.resume}. */
  event(event: StreamEvent): boolean;
  /** Nothing more will come. Called once. */
  end(): void;
}

/** The shared stream that a client reads from. */
export interface ClientSource {
  readonly ring: EventRing;
  /** Set when the upstream has ended; what is in the ring may still be read. */
  readonly ended: { readonly why: StreamEnd; readonly last: StreamEvent | undefined } | undefined;
  /** Whether a client that has fallen off the buffer goes on from its cursor instead of being ended. */
  readonly keepsSlow: boolean;
  leave(client: ClientStream): void;
  /** Wakes the client with the next event. */
  wait(client: ClientStream): void;
  /** Opens an upstream for a client that is behind the buffer. */
  openCatchUp(client: ClientStream, cursor: string): void;
}

/** Receives what happens to a client stream. */
export interface ClientStreamOwner {
  /** The message that tells a laggard where to go on. */
  lagged(cursor: string | undefined, requestId: string): StreamEvent;
  ended(stream: ClientStream, why: StreamEnd): void;
  delivered(listeners: number): void;
}

/**
 * The events of one client. It reads what is meant for it alone first (the opening message, or the gap of one
 * who resumes), then from the ring of the shared stream, at its own pace and without a buffer of its own.
 */
export class ClientStream implements AsyncIterableIterator<StreamEvent> {
  readonly request: StreamRequest;
  readonly #owner: ClientStreamOwner;
  /** Events for this client alone. */
  readonly #own: StreamEvent[] = [];
  #shared: ClientSource | undefined;
  #catchUp: CatchUp | undefined;
  #position: Position | undefined;
  #cursor: string | undefined;
  #waiting: ((item: Item) => void) | undefined;
  #listener: StreamListener | undefined;
  /** Whether the listener waits for an event. */
  #isListening = false;
  #isEnded = false;
  #last: StreamEvent | undefined;

  constructor(request: StreamRequest, owner: ClientStreamOwner) {
    this.request = request;
    this.#owner = owner;
  }

  /** The cursor of the last event that the client was given or will still be given. */
  get cursor(): string | undefined {
    for (let i = this.#own.length - 1; i >= 0; i--) {
      const cursor = this.#own[i]?.cursor;
      if (cursor !== undefined) return cursor;
    }
    return this.#cursor;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Belongs to a shared stream from now on. */
  belongTo(shared: ClientSource): void {
    this.#shared = shared;
  }

  /** Reads its own upstream until it has found its place in the shared one. */
  catchUpBy(catchUp: CatchUp): void {
    this.#catchUp = catchUp;
  }

  /** An event for this client alone; true while the client is behind with those. */
  give(event: StreamEvent): boolean {
    if (this.#isEnded) return false;
    if (this.#isWaiting) {
      this.#settle(this.#note(event));
      return false;
    }
    this.#own.push(event);
    return true;
  }

  /** Goes on from a position in the ring; what was given before comes first. */
  goOnAt(position: Position): void {
    this.#catchUp?.close();
    this.#catchUp = undefined;
    this.#position = position;
    if (this.#isWaiting) this.#pull();
  }

  /** A new event of the ring, for one that waits at the ring's end. @returns whether it waits for the one after it as well */
  wake(event: StreamEvent, next: Position): boolean {
    // Who has come while others were told has read it already.
    if (this.#position === next) return true;
    this.#position = next;
    this.#settle(this.#note(event));
    return this.#isListening;
  }

  /** Hands the stream's events to a listener instead of answering `next`. */
  listen(listener: StreamListener): void {
    this.#listener = listener;
    this.resume();
  }

  /** The listener can take events again. */
  resume(): void {
    if (!this.#listener || this.#isListening) return;
    this.#isListening = true;
    this.#pull();
  }

  /** Ends the stream; `last` is still read by the client, after what it was given. */
  end(why: StreamEnd, last?: StreamEvent): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#last = last;
    this.#catchUp?.close();
    this.#shared?.leave(this);
    this.#owner.ended(this, why);
    if (this.#isWaiting) this.#settle(this.#takeLast());
  }

  /** Whether it reads from the ring and has read all of it. */
  get hasReadAll(): boolean {
    return (
      this.#own.length === 0 &&
      this.#position !== undefined &&
      this.#position >= (this.#shared?.ring.end ?? 0)
    );
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** One caller at a time, as `for await` does. */
  next(): Promise<Item> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#pull();
    });
  }

  return(): Promise<Item> {
    this.#own.length = 0;
    this.end('client');
    this.#last = undefined;
    this.#isListening = false;
    this.#notifyEnd();
    return Promise.resolve(done);
  }

  get #isWaiting(): boolean {
    return this.#isListening || this.#waiting !== undefined;
  }

  /** Gives what is there to who waits, one event or, to a listener, as many as it takes. */
  #pull(): void {
    while (this.#isWaiting && this.#pullOne());
  }

  /** @returns whether there was something */
  #pullOne(): boolean {
    const own = this.#own.shift();
    if (own) {
      this.#settle(this.#note(own));
      if (this.#own.length === 0) this.#catchUp?.hasRoom();
      return true;
    }
    if (this.#isEnded) {
      this.#settle(this.#takeLast());
      return true;
    }
    return this.#position !== undefined && this.#pullShared(this.#position);
  }

  #pullShared(position: Position): boolean {
    const shared = this.#shared;
    if (!shared) return false;
    if (position < shared.ring.first) {
      if (shared.keepsSlow && this.#cursor !== undefined) {
        this.#position = undefined;
        shared.openCatchUp(this, this.#cursor);
        return false;
      }
      this.end('lagged', this.#owner.lagged(this.#cursor, this.request.requestId));
      return true;
    }
    const event = shared.ring.at(position);
    if (!event) {
      if (!shared.ended) shared.wait(this);
      else this.end(shared.ended.why, shared.ended.last);
      return shared.ended !== undefined;
    }
    this.#position = position + 1;
    this.#owner.delivered(1);
    this.#settle(this.#note(event));
    return true;
  }

  #note(event: StreamEvent): Item {
    if (event.cursor !== undefined) this.#cursor = event.cursor;
    return { done: false, value: event };
  }

  #takeLast(): Item {
    const last = this.#last;
    this.#last = undefined;
    return last ? { done: false, value: last } : done;
  }

  #settle(item: Item): void {
    const resolve = this.#waiting;
    if (resolve) {
      this.#waiting = undefined;
      resolve(item);
      return;
    }
    this.#isListening = false;
    if (item.done) return this.#notifyEnd();
    const wantsMore = this.#listener?.event(item.value) ?? false;
    // It may have been resumed, or ended, meanwhile.
    if (!wantsMore || this.#isListening || !this.#listener) return;
    this.#isListening = true;
    if (this.#isEnded) this.#settle(this.#takeLast());
  }

  #notifyEnd(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.end();
  }
}

/** An answer that refuses a stream, as its last event. */
export function closingEvent({ text, codes }: ExecutionText): StreamEvent {
  return { text, codes, last: true };
}
