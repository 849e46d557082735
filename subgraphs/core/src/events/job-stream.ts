/**
 * One consumer's way through the stream: from the change stream while its place lies before the ring, from the ring at its own pace, and from
 * its own small buffer once it has caught up. Each step begins exactly where the one before ended, so nothing is lost and nothing doubled.
 */
import { feedFault, type ChangeFeed } from './change-feed.repository.js';
import { laggedBehind } from './cursor.js';
import { matches, storedFilter, type EventFilter } from './event-filter.js';
import type { EventRing } from './event-ring.js';
import type { JobEvent } from './job-event.js';
import type { Subscriber, SubscriberIndex } from './subscriber-index.js';

/** Events that match, and the place after them. Events may be empty: then only the place went on. */
export interface JobEventBatch {
  readonly events: readonly JobEvent[];
  readonly position: string;
}

/** What a stream is read from. */
export interface StreamSource {
  readonly feed: ChangeFeed;
  readonly ring: EventRing;
  readonly index: SubscriberIndex;
  /** Events in a consumer's own buffer; more, and it goes back to the ring. */
  readonly bufferSize: number;
}

/** What a consumer asks for. */
export interface StreamRequest {
  readonly filter: EventFilter;
  readonly after: string;
  readonly signal: AbortSignal;
  /** A consumer that falls out of the ring: ended with SUBSCRIPTION_LAGGED, or served from the change stream again. */
  readonly whenBehind: 'end' | 'replay';
  /** Yield an empty batch after this time without an event, so that the place goes on. */
  readonly idleMs?: number;
}

/** Events of the ring that are looked at in one go. */
const scanLimit = 2000;

/**
 * Yields batches in order, without a gap. Reads no further than a buffer ahead of its consumer. Ends when the signal is aborted.
 * @throws DomainError CURSOR_EXPIRED, CURSOR_INVALID, SUBSCRIPTION_LAGGED, SERVICE_UNAVAILABLE
 */
export async function* streamJobs(
  source: StreamSource,
  request: StreamRequest,
): AsyncGenerator<JobEventBatch, void, undefined> {
  const { signal, filter } = request;
  let position = request.after;
  let wasLive = false;
  while (!signal.aborted) {
    if (!source.ring.covers(position)) {
      if (wasLive && request.whenBehind === 'end') throw laggedBehind(position);
      for await (const batch of replay(source, request, position)) {
        position = batch.position;
        if (batch.events.length > 0) yield batch;
        if (source.ring.covers(position)) break;
      }
      continue;
    }
    const scanned = scan(source.ring, filter, position);
    if (scanned.isAtHead) {
      // No await between the look at the ring's head and the subscription: what comes next comes into the buffer.
      const live = new LiveConsumer(source, filter, scanned.position);
      try {
        if (scanned.events.length > 0) yield scanned;
        position = scanned.position;
        wasLive = true;
        for await (const batch of live.batches(request)) {
          position = batch.position;
          yield batch;
        }
      } finally {
        live.close();
      }
      continue;
    }
    position = scanned.position;
    if (scanned.events.length > 0) yield scanned;
  }
}

async function* replay(
  { feed }: StreamSource,
  { filter, signal }: StreamRequest,
  after: string,
): AsyncGenerator<JobEventBatch> {
  try {
    yield* feed.read({ start: { after }, filter: storedFilter(filter), signal });
  } catch (error) {
    throw feedFault(error, after);
  }
}

function scan(
  ring: EventRing,
  filter: EventFilter,
  after: string,
): JobEventBatch & { readonly isAtHead: boolean } {
  const first = ring.numberAfter(after);
  const events: JobEvent[] = [];
  let position = after;
  for (let number = first; number < first + scanLimit; number++) {
    const event = ring.at(number);
    if (!event) return { events, position: ring.head > position ? ring.head : position, isAtHead: true };
    position = event.token;
    if (matches(filter, event)) events.push(event);
  }
  return { events, position, isAtHead: false };
}

/** A consumer that has caught up: events are put into its buffer as they come. */
class LiveConsumer implements Subscriber {
  readonly filter: EventFilter;
  readonly #ring: EventRing;
  readonly #bufferSize: number;
  readonly #leave: () => void;
  #buffer: JobEvent[] = [];
  #position: string;
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor({ ring, index, bufferSize }: StreamSource, filter: EventFilter, position: string) {
    this.filter = filter;
    this.#ring = ring;
    this.#bufferSize = bufferSize;
    this.#position = position;
    this.#leave = index.add(this);
  }

  push(event: JobEvent): void {
    // A consumer that was replayed further than this process has read meets events that it knows.
    if (event.token <= this.#position) return;
    if (this.#buffer.length >= this.#bufferSize) this.close();
    else {
      this.#buffer.push(event);
      this.#wake?.();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#leave();
    this.#wake?.();
  }

  /** Yields what comes until the signal is aborted or it was closed, as when the buffer was full; what is in the buffer is yielded before. */
  async *batches({ signal, idleMs }: StreamRequest): AsyncGenerator<JobEventBatch, void, undefined> {
    while (!signal.aborted) {
      const events = this.#buffer;
      const last = events.at(-1);
      if (last) {
        this.#buffer = [];
        this.#position = last.token;
        yield { events, position: last.token };
      } else if (this.#isClosed) return;
      else if (
        (await this.#nextEvent(signal, idleMs)) === 'idle' &&
        this.#buffer.length === 0 &&
        !this.#isClosed
      ) {
        if (this.#ring.head > this.#position) this.#position = this.#ring.head;
        yield { events: [], position: this.#position };
      }
    }
  }

  #nextEvent(signal: AbortSignal, idleMs: number | undefined): Promise<'news' | 'idle'> {
    return new Promise((resolve) => {
      const timer = idleMs === undefined ? undefined : setTimeout(() => finish('idle'), idleMs);
      const onAbort = (): void => finish('news');
      const finish = (what: 'news' | 'idle'): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        this.#wake = undefined;
        resolve(what);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#wake = () => finish('news');
    });
  }
}
