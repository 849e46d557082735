import type { StreamEvent } from './types.js';

/** Where a listener stands in a ring: the sequence number of the event that it reads next. */
export type Position = number;

/** Events older than this are not kept beyond the newest few, in milliseconds: thousands of slow streams would each keep a long past. */
const oldMs = 15_000;
/** So many of the newest are kept however old they are. */
const newest = 64;

/**
 * The newest events of a shared stream, kept once for all its listeners. A listener has a position in it and no buffer
 * of its own; one whose position has fallen off the ring is a laggard.
 */
export class EventRing {
  readonly #maxEvents: number;
  readonly #maxCharacters: number;
  readonly #now: () => number;
  readonly #events: StreamEvent[] = [];
  /** When each came, in milliseconds. */
  readonly #times: number[] = [];
  readonly #afterCursor = new Map<string, Position>();
  /** The cursor of the event right before the first: to go on after it is still possible. */
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

  /** The oldest event kept. */
  get first(): Position {
    return this.#first;
  }

  /** One after the newest. */
  get end(): Position {
    return this.#first + this.#events.length;
  }

  /** The event at a position; undefined outside of the ring. */
  at(position: Position): StreamEvent | undefined {
    return this.#events[position - this.#first];
  }

  /** Where to go on after this cursor, if the ring still knows. */
  after(cursor: string): Position | undefined {
    return this.#afterCursor.get(cursor);
  }

  /** Adds an event; the oldest go where bounds are passed, the newest always stays. */
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
