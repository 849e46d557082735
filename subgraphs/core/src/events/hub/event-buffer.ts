/** Events that wait for a consumer: every event, or the latest of each job. */
import type { StreamedJobEvent } from '../feed/job-event.js';
import type { StreamMode } from './stream.types.js';

/** Events in order, and for each the number of earlier events of its job that were left out. */
export interface TakenEvents {
  readonly events: readonly StreamedJobEvent[];
  readonly coalesced: readonly number[];
}

interface Waiting {
  readonly event: StreamedJobEvent;
  readonly coalesced: number;
}

/**
 * Buffer of waiting events. It returns events in the order of the stream; every earlier event was returned or
 * left out.
 */
export class EventBuffer {
  readonly #mode: StreamMode;
  #every: StreamedJobEvent[] = [];
  readonly #latest = new Map<string, Waiting>();

  constructor(mode: StreamMode = 'EVERY') {
    this.#mode = mode;
  }

  /** Number of waiting events, or of jobs in mode LATEST. */
  get size(): number {
    return this.#mode === 'EVERY' ? this.#every.length : this.#latest.size;
  }

  /** True if an event would replace another, so that the buffer does not grow. */
  absorbs({ jobId }: StreamedJobEvent): boolean {
    return this.#latest.has(jobId);
  }

  /** Adds the next event. */
  add(event: StreamedJobEvent): void {
    if (this.#mode === 'EVERY') {
      this.#every.push(event);
      return;
    }
    const known = this.#latest.get(event.jobId);
    // The event goes to the end, so that the order stays that of the stream.
    if (known) this.#latest.delete(event.jobId);
    this.#latest.set(event.jobId, { event, coalesced: known ? known.coalesced + 1 : 0 });
  }

  /** Removes and returns the oldest event; the buffer must not be empty. */
  removeFirst(): TakenEvents {
    if (this.#mode === 'EVERY') return all(this.#every.splice(0, 1));
    for (const [jobId, { event, coalesced }] of this.#latest) {
      this.#latest.delete(jobId);
      return { events: [event], coalesced: [coalesced] };
    }
    return all([]);
  }

  /** Removes and returns all events. */
  removeAll(): TakenEvents {
    if (this.#mode === 'EVERY') {
      const events = this.#every;
      this.#every = [];
      return all(events);
    }
    const waiting = [...this.#latest.values()];
    this.#latest.clear();
    return {
      events: waiting.map(({ event }) => event),
      coalesced: waiting.map(({ coalesced }) => coalesced),
    };
  }
}

const none: readonly number[] = [];

function all(events: readonly StreamedJobEvent[]): TakenEvents {
  return { events, coalesced: none };
}
