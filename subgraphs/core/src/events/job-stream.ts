/**
 * One consumer's way through the stream: from the change stream while its place lies before the ring, from the ring at its own pace, and from
 * its own small buffer once it has caught up. Each step begins exactly where the one before ended, so nothing is lost and nothing doubled.
 */
import { laggedBehind } from './cursor.js';
import { EventBuffer } from './event-buffer.js';
import { matches, type EventFilter } from './event-filter.js';
import type { EventRing } from './event-ring.js';
import type { JobEvent } from './job-event.js';
import type { Replays } from './replays.js';
import type { Subscriber, SubscriberIndex } from './subscriber-index.js';

/** Events that match, and the place after them. Events may be empty: then only the place went on. */
export interface JobEventBatch {
  readonly events: readonly JobEvent[];
  readonly position: string;
  /** In mode LATEST: for each event, how many earlier ones of its job were left out; without it none was. */
  readonly coalesced?: readonly number[];
}

/** Whether a slow consumer gets each event, or the latest of each job among those that wait for it. */
export type StreamMode = 'EVERY' | 'LATEST';

/** What a stream is read from. */
export interface StreamSource {
  /** For places that lie before the ring. */
  readonly replays: Replays;
  readonly ring: EventRing;
  readonly index: SubscriberIndex;
  /** Events, or in mode LATEST jobs, in a consumer's own buffer; more, and it goes back to the ring. */
  readonly bufferSize: number;
}

/** What a consumer asks for. */
export interface StreamRequest {
  readonly filter: EventFilter;
  readonly after: string;
  readonly signal: AbortSignal;
  /** A consumer that falls out of the ring: ended with SUBSCRIPTION_LAGGED, or served from the change stream again. */
  readonly whenBehind: 'end' | 'replay';
  /** EVERY unless given. */
  readonly mode?: StreamMode;
  /** Yield an empty batch after this time without an event, so that the place goes on. */
  readonly idleMs?: number;
}

/** Events of the ring that are looked at in one go, by those who want each, and by those who want the latest. */
const scanLimits: Readonly<Record<StreamMode, number>> = { EVERY: 2000, LATEST: 20_000 };

/**
 * Yields batches in order, without a gap. Reads no further than a buffer ahead of its consumer. Ends when the signal is aborted.
 * @throws DomainError CURSOR_EXPIRED, CURSOR_INVALID, SUBSCRIPTION_LAGGED, SERVICE_UNAVAILABLE
 */
export async function* streamJobs(
  source: StreamSource,
  request: StreamRequest,
): AsyncGenerator<JobEventBatch, void, undefined> {
  const { signal } = request;
  let position = request.after;
  let wasLive = false;
  while (!signal.aborted) {
    if (!source.ring.covers(position)) {
      if (wasLive && request.whenBehind === 'end') throw laggedBehind(position);
      for await (const batch of source.replays.read({ ...request, after: position })) {
        position = batch.position;
        if (batch.events.length > 0) yield batch;
        if (source.ring.covers(position)) break;
      }
      continue;
    }
    const scanned = scan(source, request, position);
    position = scanned.position;
    if (!scanned.isAtHead) {
      if (scanned.found.size > 0) yield { ...scanned.found.takeAll(), position };
      continue;
    }
    // No await between the look at the ring's head and the subscription: what comes next comes into the buffer.
    const live = new LiveConsumer(source, request, scanned);
    try {
      wasLive = true;
      for (let batch = await live.next(); batch; batch = await live.next()) {
        position = batch.position;
        yield batch;
      }
    } finally {
      live.close();
    }
  }
}

/** What was found in the ring after a place, and how far it was looked at. */
interface Scanned {
  readonly found: EventBuffer;
  readonly position: string;
  readonly isAtHead: boolean;
}

function scan(
  { ring, bufferSize }: StreamSource,
  { filter, mode = 'EVERY' }: StreamRequest,
  after: string,
): Scanned {
  const first = ring.numberAfter(after);
  const found = new EventBuffer(mode);
  let position = after;
  for (let number = first; number < first + scanLimits[mode] && found.size < bufferSize; number++) {
    const event = ring.at(number);
    if (!event) return { found, position: ring.head > position ? ring.head : position, isAtHead: true };
    position = event.token;
    if (matches(filter, event)) found.add(event);
  }
  return { found, position, isAtHead: false };
}

/** A consumer that has caught up: events are put into its buffer as they come. */
class LiveConsumer implements Subscriber {
  readonly filter: EventFilter;
  readonly #request: StreamRequest;
  readonly #ring: EventRing;
  readonly #bufferSize: number;
  readonly #leave: () => void;
  readonly #buffer: EventBuffer;
  readonly #onAbort = (): void => this.#wake?.('news');
  /** Everything up to here is in the buffer, or was. */
  #position: string;
  #isClosed = false;
  #wake: ((what: 'news' | 'idle') => void) | undefined;

  constructor(
    { ring, index, bufferSize }: StreamSource,
    request: StreamRequest,
    { found, position }: Scanned,
  ) {
    this.filter = request.filter;
    this.#request = request;
    this.#ring = ring;
    this.#bufferSize = bufferSize;
    this.#buffer = found;
    this.#position = position;
    this.#leave = index.add(this);
    request.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  push(event: JobEvent): void {
    // A consumer that was replayed further than this process has read meets events that it knows.
    if (event.token <= this.#position) return;
    if (this.#buffer.size >= this.#bufferSize && !this.#buffer.absorbs(event)) return this.close();
    this.#buffer.add(event);
    this.#position = event.token;
    this.#wake?.('news');
  }

  close(): void {
    this.#isClosed = true;
    this.#leave();
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    this.#wake?.('news');
  }

  /** What comes, until the signal is aborted or it was closed, as when the buffer was full; what is in the buffer is given before. */
  async next(): Promise<JobEventBatch | undefined> {
    const { signal, mode, idleMs } = this.#request;
    while (!signal.aborted) {
      if (this.#buffer.size > 0) {
        // One at a time where a later event of a job may still take the place of what waits.
        const { events, coalesced } = mode === 'LATEST' ? this.#buffer.takeFirst() : this.#buffer.takeAll();
        return { events, coalesced, position: events.at(-1)?.token ?? this.#position };
      }
      if (this.#isClosed) return undefined;
      const isIdle = (await this.#nextEvent(idleMs)) === 'idle' && !this.#isClosed;
      if (isIdle && this.#buffer.size === 0) {
        if (this.#ring.head > this.#position) this.#position = this.#ring.head;
        return { events: [], position: this.#position };
      }
    }
    return undefined;
  }

  #nextEvent(idleMs: number | undefined): Promise<'news' | 'idle'> {
    return new Promise((resolve) => {
      const timer = idleMs === undefined ? undefined : setTimeout(() => this.#wake?.('idle'), idleMs);
      this.#wake = (what) => {
        if (timer) clearTimeout(timer);
        this.#wake = undefined;
        resolve(what);
      };
    });
  }
}
