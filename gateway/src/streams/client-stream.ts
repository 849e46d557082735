import type { Principal } from '@rhizome/authz';
import type { ExecutionText } from '@rhizome/federation';
import type { Expiring } from '../policy/index.js';
import type { StreamHistory, Position } from './stream-history.js';
import type { CatchUp, StreamEnd, StreamEvent, StreamRequest } from './types.js';

type Item = IteratorResult<StreamEvent, undefined>;
const done: Item = { done: true, value: undefined };

/** Receives a stream's events as they come. */
export interface StreamListener {
  /** Receives the next event. Returns false to get no other until {@link ClientStream.resume}. */
  event(event: StreamEvent): boolean;
  /** The stream has ended. Called once. */
  end(): void;
}

/** The shared stream that a client reads from. */
export interface ClientSource {
  readonly history: StreamHistory;
  /** Set when the upstream has ended; the events in the history may still be read. */
  readonly ended: { readonly why: StreamEnd; readonly last: StreamEvent | undefined } | undefined;
  /** True if a client that has fallen off the buffer continues from its cursor instead of being ended. */
  readonly resumesSlowConsumers: boolean;
  leave(client: ClientStream): void;
  /** Notifies the client of the next event. */
  wait(client: ClientStream): void;
  /** Opens an upstream for a client that is behind the buffer. */
  openCatchUp(client: ClientStream, cursor: string): void;
}

/** Receives lifecycle events of a client stream. */
export interface ClientStreamOwner {
  /** The message that gives a slow consumer the cursor to continue from. */
  lagged(cursor: string | undefined, requestId: string): StreamEvent;
  expired(stream: ClientStream): void;
  /** The token of the stream was renewed; `before` is its request with the previous one. */
  renewed(stream: ClientStream, before: StreamRequest): void;
  ended(stream: ClientStream, why: StreamEnd, last: StreamEvent | undefined): void;
  delivered(listeners: number): void;
}

/**
 * The events of one client. It first reads its own events (the opening message, or the gap of a client that
 * resumes), then the history of the shared stream, at its own pace and without a buffer of its own.
 */
export class ClientStream implements AsyncIterableIterator<StreamEvent>, Expiring {
  readonly #owner: ClientStreamOwner;
  /** Events for this client only. */
  readonly #own: StreamEvent[] = [];
  #request: StreamRequest;
  #shared: ClientSource | undefined;
  #catchUp: CatchUp | undefined;
  #position: Position | undefined;
  #cursor: string | undefined;
  #waiting: ((item: Item) => void) | undefined;
  #listener: StreamListener | undefined;
  /** True while the listener waits for an event. */
  #isListening = false;
  #isEnded = false;
  #last: StreamEvent | undefined;

  constructor(request: StreamRequest, owner: ClientStreamOwner) {
    this.#request = request;
    this.#owner = owner;
  }

  get request(): StreamRequest {
    return this.#request;
  }

  /** The cursor of the last event that was or will be delivered to the client. */
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

  /** Attaches the client to a shared stream. */
  belongTo(shared: ClientSource): void {
    this.#shared = shared;
  }

  /** Reads its own upstream until it has reached a position of the shared one. */
  catchUpBy(catchUp: CatchUp): void {
    this.#catchUp = catchUp;
  }

  /** Adds an event for this client only; returns true while such events wait. */
  addOwn(event: StreamEvent): boolean {
    if (this.#isEnded) return false;
    if (this.#isWaiting) {
      this.#settle(this.#toItem(event));
      return false;
    }
    this.#own.push(event);
    return true;
  }

  /** Continues from a position in the history, after the events that were added before. */
  continueAt(position: Position): void {
    this.#catchUp?.close();
    this.#catchUp = undefined;
    this.#position = position;
    if (this.#isWaiting) this.#pull();
  }

  /**
   * Delivers a new event of the history to a client at its end. @returns true if it waits for the next
   * one as well
   */
  wake(event: StreamEvent, next: Position): boolean {
    // A client that was added during the delivery has read it already.
    if (this.#position === next) return true;
    this.#position = next;
    this.#settle(this.#toItem(event));
    return this.#isListening;
  }

  /** Delivers the stream's events to a listener instead of through `next`. */
  listen(listener: StreamListener): void {
    this.#listener = listener;
    this.resume();
  }

  /** Resumes the delivery to the listener. */
  resume(): void {
    if (!this.#listener || this.#isListening) return;
    this.#isListening = true;
    this.#pull();
  }

  /** Continues with a renewed token of the same caller. */
  renew(principal: Principal): void {
    if (this.#isEnded) return;
    const before = this.#request;
    this.#request = { ...before, principal };
    this.#owner.renewed(this, before);
  }

  expired(): void {
    this.#owner.expired(this);
  }

  /** Ends the stream; the client still reads `last`, after the events before it. */
  end(why: StreamEnd, last?: StreamEvent): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#last = last;
    this.#catchUp?.close();
    this.#shared?.leave(this);
    this.#owner.ended(this, why, last);
    if (this.#isWaiting) this.#settle(this.#lastItem());
  }

  /** True if it reads from the history and has read all of it. */
  get hasReadAll(): boolean {
    return (
      this.#own.length === 0 &&
      this.#position !== undefined &&
      this.#position >= (this.#shared?.history.end ?? 0)
    );
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** For one caller at a time, as with `for await`. */
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

  /** Delivers available events: one to a waiting reader, or as many as the listener accepts. */
  #pull(): void {
    while (this.#isWaiting && this.#pullOne());
  }

  /** @returns true if there was an event */
  #pullOne(): boolean {
    const own = this.#own.shift();
    if (own) {
      this.#settle(this.#toItem(own));
      if (this.#own.length === 0) this.#catchUp?.drained();
      return true;
    }
    if (this.#isEnded) {
      this.#settle(this.#lastItem());
      return true;
    }
    return this.#position !== undefined && this.#pullShared(this.#position);
  }

  #pullShared(position: Position): boolean {
    const shared = this.#shared;
    if (!shared) return false;
    if (position < shared.history.first) {
      if (shared.resumesSlowConsumers && this.#cursor !== undefined) {
        this.#position = undefined;
        shared.openCatchUp(this, this.#cursor);
        return false;
      }
      this.end('lagged', this.#owner.lagged(this.#cursor, this.request.requestId));
      return true;
    }
    const event = shared.history.at(position);
    if (!event) {
      if (!shared.ended) shared.wait(this);
      else this.end(shared.ended.why, shared.ended.last);
      return shared.ended !== undefined;
    }
    this.#position = position + 1;
    this.#owner.delivered(1);
    this.#settle(this.#toItem(event));
    return true;
  }

  #toItem(event: StreamEvent): Item {
    if (event.cursor !== undefined) this.#cursor = event.cursor;
    return { done: false, value: event };
  }

  #lastItem(): Item {
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
    // It may have been resumed or ended meanwhile.
    if (!wantsMore || this.#isListening || !this.#listener) return;
    this.#isListening = true;
    if (this.#isEnded) this.#settle(this.#lastItem());
  }

  #notifyEnd(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.end();
  }
}

/** A response that refuses a stream, as its last event. */
export function closingEvent({ text, codes }: ExecutionText): StreamEvent {
  return { text, codes, last: true };
}
