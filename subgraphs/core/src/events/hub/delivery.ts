/**
 * When events go to subscribers: at once, and in crowds together, a moment later. A round costs something for itself, and a socket with several
 * messages writes them in one go; so under thousands of events a second those that follow a crowd wait for each other.
 */
import type { StreamedJobEvent } from '../feed/job-event.js';

/** So many events at once are a crowd. */
const crowdEvents = 50;
/** How long those wait that follow a crowd, in milliseconds: a tenth of what is promised to subscribers. */
const pauseMs = 25;
/** Events that go out in one go at most: then other work has its turn. */
const inOneGo = 500;
/** Events that wait at most; more, and they go out in the call that brings them. */
const maxWaiting = 5000;

/** See the head of this file. */
export class Delivery {
  readonly #deliver: (event: StreamedJobEvent) => void;
  #waiting: StreamedJobEvent[] = [];
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;

  /** @param deliver hands one event to those whom it concerns; it must not throw */
  constructor(deliver: (event: StreamedJobEvent) => void) {
    this.#deliver = deliver;
  }

  /** Takes events that follow those before. */
  put(events: readonly StreamedJobEvent[]): void {
    if (events.length === 0) return;
    if (this.#timer) {
      for (const event of events) this.#waiting.push(event);
      if (this.#waiting.length > maxWaiting) this.flush();
      return;
    }
    for (const event of events) this.#deliver(event);
    if (events.length >= crowdEvents) this.#pause();
  }

  /** Hands out at once what waits. */
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
