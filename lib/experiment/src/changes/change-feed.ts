/**
 * Feed of changes of an experiment's documents; a consumer follows one of them. One reader per process serves
 * all consumers that are up to date from a buffer of recent changes; a consumer that is further behind reads
 * a change stream of its own until it has caught up.
 */
import { isDomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { secondsOf } from '@rhizome/mongo';
import { sleep } from '@rhizome/retry';
import { decodeCursor, encodeCursor, expiredCursor, invalidCursor } from './change-cursor.js';
import type { Change, ReadChanges } from './change-stream.repository.js';

/** Dependencies of {@link ChangeFeed}. */
export interface ChangeFeedOptions {
  readonly read: ReadChanges;
  readonly log: Logger;
  /** Changes that are kept in memory; 1,000 unless given. */
  readonly ringSize?: number;
}

/** One message to a follower. */
export interface DocumentChange {
  readonly cursor: string;
  /** The document that changed; null in the opening message. */
  readonly id: string | null;
}

/** A process may have read a little further than another; a place further ahead is of another store. */
const aheadSeconds = 600;
const reopenMs = 500;
/**
 * Changes that wait for one follower: older ones are left out, since a later one shows the same document as
 * it then is.
 */
const maxWaiting = 256;

export class ChangeFeed {
  readonly #options: ChangeFeedOptions;
  readonly #stopping = new AbortController();
  readonly #followers = new Set<Follower>();
  #ring: Change[] = [];
  /** Everything behind this place is in the ring. */
  #floor: string | undefined;
  #head = '';
  #opened: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(options: ChangeFeedOptions) {
    this.#options = options;
  }

  /**
   * Follows one document: an opening message with the cursor alone, then each change of it, in order.
   * @param after a cursor of this feed: later changes are replayed first
   * @throws DomainError CURSOR_INVALID, CURSOR_EXPIRED
   */
  async *changes(
    id: string,
    after: string | null | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<DocumentChange, void, undefined> {
    const place = typeof after === 'string' ? decodeCursor(after) : undefined;
    const ending = new AbortController();
    const end = (): void => ending.abort();
    for (const one of [signal, this.#stopping.signal]) {
      if (one?.aborted) return;
      one?.addEventListener('abort', end, { once: true });
    }
    try {
      await Promise.race([this.#begin(), aborted(ending.signal)]);
      if (!ending.signal.aborted) yield* this.#follow(id, place, ending.signal);
    } finally {
      for (const one of [signal, this.#stopping.signal]) one?.removeEventListener('abort', end);
    }
  }

  /** Ends all streams. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async *#follow(
    id: string,
    place: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<DocumentChange, void, undefined> {
    if (place !== undefined && secondsOf(place) > secondsOf(this.#head) + aheadSeconds)
      throw invalidCursor(encodeCursor(place));
    let position = place ?? this.#head;
    let isOpen = false;
    if (!this.#covers(position)) {
      for await (const { change, position: read } of this.#options.read({ after: position, id, signal })) {
        if (!isOpen) yield { cursor: encodeCursor(position), id: null };
        isOpen = true;
        position = read;
        if (change) yield { cursor: encodeCursor(change.token), id };
        if (this.#covers(position)) break;
      }
      if (signal.aborted) return;
    }
    // No await between the look at the ring and the joining: what comes next is put into the follower's list.
    const follower = new Follower(id, position, this.#ring);
    this.#followers.add(follower);
    try {
      if (!isOpen) yield { cursor: encodeCursor(position), id: null };
      for await (const { token } of follower.changes(signal)) yield { cursor: encodeCursor(token), id };
    } finally {
      this.#followers.delete(follower);
    }
  }

  #covers(position: string): boolean {
    return this.#floor !== undefined && position >= this.#floor;
  }

  /** Opens the common reader when the first follower comes. Resolves when it knows where it stands. */
  #begin(): Promise<void> {
    return (this.#opened ??= new Promise((resolve) => {
      this.#running = this.#run(resolve);
    }));
  }

  async #run(opened: () => void): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const after = this.#floor === undefined ? undefined : this.#head;
        for await (const { change, position } of this.#options.read({ after, signal })) {
          this.#floor ??= position;
          this.#head = position;
          if (change) this.#publish(change);
          opened();
        }
      } catch (error) {
        this.#options.log.warn({ err: error }, 'the stream of changes broke; it is opened again');
        if (isDomainError(error)) this.#lose();
        await sleep(reopenMs, signal);
      }
    }
    opened();
  }

  #publish(change: Change): void {
    this.#ring.push(change);
    const { ringSize = 1000 } = this.#options;
    if (this.#ring.length > ringSize) this.#floor = this.#ring.shift()?.token;
    for (const follower of this.#followers) follower.push(change);
  }

  /** The stream cannot go on from where it stood: changes may have gone by unseen. */
  #lose(): void {
    for (const follower of this.#followers) follower.fail(expiredCursor(this.#head));
    this.#ring = [];
    this.#floor = undefined;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** Somebody who has caught up. */
class Follower {
  readonly #id: string;
  #position: string;
  #waiting: Change[] = [];
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(id: string, position: string, ring: readonly Change[]) {
    this.#id = id;
    this.#position = position;
    for (const change of ring) this.push(change);
  }

  push(change: Change): void {
    if (change.id !== this.#id || change.token <= this.#position) return;
    this.#position = change.token;
    this.#waiting.push(change);
    if (this.#waiting.length > maxWaiting) this.#waiting.shift();
    this.#wake?.();
  }

  fail(failure: Error): void {
    this.#failure = failure;
    this.#wake?.();
  }

  async *changes(signal: AbortSignal): AsyncGenerator<Change, void, undefined> {
    while (!signal.aborted) {
      const change = this.#waiting.shift();
      if (change) yield change;
      else if (this.#failure) throw this.#failure;
      else await this.#news(signal);
    }
  }

  #news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        signal.removeEventListener('abort', finish);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = finish;
      signal.addEventListener('abort', finish, { once: true });
    });
  }
}
