/** Events that wait for a consumer: each of them, or the latest of each job. */
import type { StreamedJobEvent } from '../feed/job-event.js';
import type { StreamMode } from './stream.types.js';

/** Events in order, and for each how many earlier ones of its job were left out. */
export interface TakenEvents {
  readonly events: readonly StreamedJobEvent[];
  readonly coalesced: readonly number[];
}

interface Waiting {
  readonly event: StreamedJobEvent;
  readonly coalesced: number;
}

/** See the head of this file. What is taken out is in the order of the stream, and everything before it was taken out or left out. */
export class EventBuffer {
  readonly #mode: StreamMode;
  #every: StreamedJobEvent[] = [];
  readonly #latest = new Map<string, Waiting>();

  constructor(mode: StreamMode = 'EVERY') {
    this.#mode = mode;
  }

  /** What waits: events, or in mode LATEST jobs. */
  get size(): number {
    return this.#mode === 'EVERY' ? this.#every.length : this.#latest.size;
  }

  /** Whether an event would take the place of another, so that the buffer does not grow. */
  absorbs({ jobId }: StreamedJobEvent): boolean {
    return this.#latest.has(jobId);
  }

  /** Puts the next event in. */
  add(event: StreamedJobEvent): void {
    if (this.#mode === 'EVERY') {
      this.#every.push(event);
      return;
    }
    const known = this.#latest.get(event.jobId);
    // It goes to the end: the order stays that of the stream.
    if (known) this.#latest.delete(event.jobId);
    this.#latest.set(event.jobId, { event, coalesced: known ? known.coalesced + 1 : 0 });
  }

  /** Takes the oldest out; there must be one. */
  takeFirst(): TakenEvents {
    if (this.#mode === 'EVERY') return all(this.#every.splice(0, 1));
    for (const [jobId, { event, coalesced }] of this.#latest) {
      this.#latest.delete(jobId);
      return { events: [event], coalesced: [coalesced] };
    }
    return all([]);
  }

  /** Takes everything out. */
  takeAll(): TakenEvents {
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
