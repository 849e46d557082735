import type { ClientStream } from './client-stream.js';
import type { Position } from './event-ring.js';
import type { SharedStream } from './shared-stream.js';
import type { StreamEvent } from './types.js';
import type { Upstream, UpstreamSink } from './upstream.js';

/** Events that a client may be behind before what it reads alone, or with a few others, is made to wait. */
export const ahead = 64;

/** What serves a client until its place in the shared stream is known. */
export interface CatchUp {
  /** The shared stream has just come to the cursor where this one stands. */
  meet(): void;
  /** The client has read all that it was given. */
  hasRoom(): void;
  close(): void;
}

/**
 * Serves one client alone from the present on, until its place in the shared stream is known. On a resumable field that
 * is the first cursor that both have seen, whichever saw it first. On others it is the first message (the present state,
 * where a field begins with that): what the shared stream brought since the client came follows it, so that nothing is
 * lost.
 */
export class FromPresent implements CatchUp, UpstreamSink {
  readonly #client: ClientStream;
  readonly #shared: SharedStream;
  readonly #resumable: boolean;
  #joinedAt: number;
  #upstream: Upstream | undefined;
  #behind = 0;
  #onRoom: (() => void) | undefined;
  #cursor: string | undefined;
  #isClosed = false;

  constructor(client: ClientStream, shared: SharedStream) {
    this.#client = client;
    this.#shared = shared;
    this.#resumable = shared.options.plan.resumable !== undefined;
    this.#joinedAt = shared.ring.end;
  }

  /** The upstream that feeds it; set once. */
  feedBy(upstream: Upstream): void {
    if (this.#isClosed) upstream.close();
    else this.#upstream = upstream;
  }

  event(event: StreamEvent): void | Promise<void> {
    if (this.#isClosed) return;
    this.#behind = this.#client.give(event) ? this.#behind + 1 : 0;
    if (this.#resumable) this.#seekByCursor(event);
    else this.#seekByFirst(event);
    if (this.#isClosed || this.#behind < ahead) return;
    return new Promise((resolve) => (this.#onRoom = resolve));
  }

  end(last: StreamEvent | undefined): void {
    if (this.#isClosed) return;
    this.#client.end(last ? 'failed' : 'complete', last);
  }

  hasRoom(): void {
    this.#behind = 0;
    this.#release();
  }

  meet(): void {
    const position = this.#cursor === undefined ? undefined : this.#shared.ring.after(this.#cursor);
    if (position !== undefined) this.#goOnAt(position);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#shared.forget(this, this.#cursor);
    this.#upstream?.close();
    this.#release();
  }

  #seekByCursor({ cursor }: StreamEvent): void {
    if (cursor === undefined) return;
    this.#shared.forget(this, this.#cursor);
    this.#cursor = cursor;
    const position = this.#shared.ring.after(cursor);
    if (position === undefined) return this.#shared.expect(this, cursor);
    this.#goOnAt(position);
  }

  #goOnAt(position: Position): void {
    // A stream that has come to where one from the present stands is in the present itself.
    this.#shared.isLive = true;
    this.#client.goOnAt(position);
  }

  #seekByFirst({ text }: StreamEvent): void {
    const { ring } = this.#shared;
    const same = ring.afterText(text, this.#joinedAt);
    if (same !== undefined) return this.#client.goOnAt(same);
    if (this.#joinedAt >= ring.first) return this.#client.goOnAt(this.#joinedAt, text);
    // So much has passed meanwhile that the ring no longer reaches back: the next message is a new chance.
    this.#joinedAt = ring.end;
  }

  #release(): void {
    this.#onRoom?.();
    this.#onRoom = undefined;
  }
}
