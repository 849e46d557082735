/**
 * Delivery of events to subscribers: at once, and in bursts together, a moment later. Each round has a fixed
 * cost, and a socket with several messages writes them together. With thousands of events a second, the
 * events after a burst therefore wait for each other.
 */
import type { StreamedJobEvent } from '../feed/job-event.js';

/** Number of events at once that are a burst. */
const crowdEvents = 50;
/**
 * Delay of the events after a burst, in milliseconds: a tenth of the delay that is promised to subscribers.
 */
const pauseMs = 25;
/** Most events delivered in one turn; then other work gets its turn. */
const inOneGo = 500;
/** Most events that wait; above it they are delivered in the call that brings them. */
const maxWaiting = 5000;

/** Delivers events in order. */
export class Delivery {
  readonly #deliver: (event: StreamedJobEvent) => void;
  #waiting: StreamedJobEvent[] = [];
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;

  /** @param deliver passes one event to the subscribers that match it; it must not throw */
  constructor(deliver: (event: StreamedJobEvent) => void) {
    this.#deliver = deliver;
  }

  /** Adds events that follow the earlier ones. */
  append(events: readonly StreamedJobEvent[]): void {
    if (events.length === 0) return;
    if (this.#timer) {
      for (const event of events) this.#waiting.push(event);
      if (this.#waiting.length > maxWaiting) this.flush();
      return;
    }
    for (const event of events) this.#deliver(event);
    if (events.length >= crowdEvents) this.#pause();
  }

  /** Delivers all waiting events at once. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const event of waiting) this.#deliver(event);
  }

  #pause(): void {
    this.#timer = setTimeout(() => this.#round(), pauseMs);
    this.#timer.unref();
  }

  #round(): void {
    const some = this.#waiting.length > inOneGo ? this.#waiting.splice(0, inOneGo) : this.#waiting;
    if (some === this.#waiting) this.#waiting = [];
    for (const event of some) this.#deliver(event);
    if (this.#waiting.length > 0) this.#timer = setImmediate(() => this.#round());
    else if (some.length >= crowdEvents) this.#pause();
    else this.#timer = undefined;
  }
}
