/** The newest events in memory, in order. */
import type { StreamedJobEvent } from '../feed/job-event.js';

/** A ring of events: it holds all events after {@link floor}, up to {@link head}. */
export class EventRing {
  readonly #events: (StreamedJobEvent | undefined)[];
  /** Number of events ever added; event n is at index n modulo the capacity. */
  #count = 0;
  #first = 0;
  #floor: string;
  #head: string;

  /**
   * @param start all events after this position will be added; events at or before it are skipped
   * @param floor an earlier position from which reading can still continue here, because no promised event is
   *   between the two
   */
  constructor(capacity: number, start: string, floor = start) {
    this.#events = new Array<StreamedJobEvent | undefined>(capacity);
    this.#floor = floor;
    this.#head = start;
  }

  /** All events after this position are in the ring. */
  get floor(): string {
    return this.#floor;
  }

  /** All events up to this position were added. */
  get head(): string {
    return this.#head;
  }

  /** Number of events in the ring. */
  get size(): number {
    return this.#count - this.#first;
  }

  /** Appends following events, and moves the head. Events at or before the head are known and skipped. */
  append(events: readonly StreamedJobEvent[], head: string): readonly StreamedJobEvent[] {
    const [first] = events;
    const fresh =
      first && first.token <= this.#head ? events.filter(({ token }) => token > this.#head) : events;
    for (const event of fresh) this.#add(event);
    const last = fresh.at(-1)?.token ?? this.#head;
    this.#head = head > last ? head : last;
    return fresh;
  }

  /** Checks that all events after this position that have arrived are in the ring. */
  covers(token: string): boolean {
    return token >= this.#floor;
  }

  /** Number of the first event after a covered position. */
  numberAfter(token: string): number {
    let low = this.#first;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.at(middle)?.token ?? '') <= token) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The event with a number; undefined past the end, or when it was overwritten. */
  at(number: number): StreamedJobEvent | undefined {
    if (number < this.#first || number >= this.#count) return undefined;
    return this.#events[number % this.#events.length];
  }

  #add(event: StreamedJobEvent): void {
    const slot = this.#count % this.#events.length;
    if (this.size === this.#events.length) {
      this.#floor = this.#events[slot]?.token ?? this.#floor;
      this.#first += 1;
    }
    this.#events[slot] = event;
    this.#count += 1;
  }
}
