/** The newest events, in memory, in order. */
import type { StreamedJobEvent } from '../feed/job-event.js';

/** A ring of events: it holds all events after {@link floor}, up to {@link head}. */
export class EventRing {
  readonly #events: (StreamedJobEvent | undefined)[];
  /** Events ever put here; the event with number n is at n modulo the capacity. */
  #count = 0;
  #first = 0;
  #floor: string;
  #head: string;

  /**
   * @param start the place after which everything will be put here; events at or before it are left out
   * @param floor a place before it from which one can still go on here, because nothing lies between that anybody was promised
   */
  constructor(capacity: number, start: string, floor = start) {
    this.#events = new Array<StreamedJobEvent | undefined>(capacity);
    this.#floor = floor;
    this.#head = start;
  }

  /** Everything after this place is here. */
  get floor(): string {
    return this.#floor;
  }

  /** Everything up to this place was put here. */
  get head(): string {
    return this.#head;
  }

  /** Number of events that are held. */
  get size(): number {
    return this.#count - this.#first;
  }

  /** Appends events that follow, and moves the head on; events at or before the head are known already and are left out. */
  append(events: readonly StreamedJobEvent[], head: string): readonly StreamedJobEvent[] {
    const [first] = events;
    const fresh =
      first && first.token <= this.#head ? events.filter(({ token }) => token > this.#head) : events;
    for (const event of fresh) this.#put(event);
    const last = fresh.at(-1)?.token ?? this.#head;
    this.#head = head > last ? head : last;
    return fresh;
  }

  /** Whether all events after this place are here, as far as they have come. */
  covers(token: string): boolean {
    return token >= this.#floor;
  }

  /** The number of the first event after a place that is covered. */
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

  /** The event of a number; undefined past the end, or when it was overwritten. */
  at(number: number): StreamedJobEvent | undefined {
    if (number < this.#first || number >= this.#count) return undefined;
    return this.#events[number % this.#events.length];
  }

  #put(event: StreamedJobEvent): void {
    const slot = this.#count % this.#events.length;
    if (this.size === this.#events.length) {
      this.#floor = this.#events[slot]?.token ?? this.#floor;
      this.#first += 1;
    }
    this.#events[slot] = event;
    this.#count += 1;
  }
}
