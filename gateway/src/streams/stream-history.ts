import type { StreamEvent } from './types.js';

/** Position of a listener in a ring: the sequence number of the event that it reads next. */
export type Position = number;

/**
 * Maximum age of events beyond the newest few, in milliseconds; otherwise thousands of slow streams would
 * each keep a long history.
 */
const oldMs = 15_000;
/** Number of newest events that are kept whatever their age. */
const newest = 64;

/**
 * The newest events of a shared stream, stored once for all its listeners. A listener has a position in it
 * and no buffer of its own; a listener whose position has fallen out of the history is a slow consumer.
 */
export class StreamHistory {
  readonly #maxEvents: number;
  readonly #maxCharacters: number;
  readonly #now: () => number;
  readonly #events: StreamEvent[] = [];
  /** Arrival times in milliseconds. */
  readonly #times: number[] = [];
  readonly #afterCursor = new Map<string, Position>();
  /** The cursor of the event right before the first one, from which a client can still continue. */
  #before: string | undefined;
  #first: Position = 0;
  #characters = 0;

  constructor(
    maxEvents: number,
    maxCharacters: number,
    startAfter?: string,
    now: () => number = () => performance.now(),
  ) {
    this.#now = now;
    this.#maxEvents = maxEvents;
    this.#maxCharacters = maxCharacters;
    this.#before = startAfter;
    if (startAfter !== undefined) this.#afterCursor.set(startAfter, 0);
  }

  /** Position of the oldest event kept. */
  get first(): Position {
    return this.#first;
  }

  /** Position after the newest event. */
  get end(): Position {
    return this.#first + this.#events.length;
  }

  /** The event at a position; undefined outside the history. */
  at(position: Position): StreamEvent | undefined {
    return this.#events[position - this.#first];
  }

  /** The position after this cursor, if the history still has it. */
  after(cursor: string): Position | undefined {
    return this.#afterCursor.get(cursor);
  }

  /** Adds an event; drops the oldest ones beyond the bounds, never the newest. */
  push(event: StreamEvent): void {
    const now = this.#now();
    this.#events.push(event);
    this.#times.push(now);
    this.#characters += event.text.length;
    if (event.cursor !== undefined) this.#afterCursor.set(event.cursor, this.end);
    while (this.#events.length > 1 && this.#isTooMuch(now)) this.#dropFirst();
  }

  #isTooMuch(now: number): boolean {
    const { length } = this.#events;
    if (length > this.#maxEvents || this.#characters > this.#maxCharacters) return true;
    return length > newest && now - (this.#times[0] ?? now) > oldMs;
  }

  #dropFirst(): void {
    const dropped = this.#events.shift();
    this.#times.shift();
    if (!dropped) return;
    if (this.#before !== undefined && this.#afterCursor.get(this.#before) === this.#first) {
      this.#afterCursor.delete(this.#before);
    }
    this.#first++;
    this.#characters -= dropped.text.length;
    this.#before = dropped.cursor;
  }
}
