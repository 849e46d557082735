/** A consumer that has caught up with the stream: events wait for it in a small buffer of its own. */
import type { Following } from '@rhizome/subgraph';
import type { EventBuffer } from './event-buffer.js';
import type { EventFilter } from './event-filter.js';
import type { EventRing } from './event-ring.js';
import type { StreamedJobEvent } from '../feed/job-event.js';
import type { Subscriber, SubscriberIndex } from './subscriber-index.js';
import type { JobEventBatch, StreamRequest } from './stream.types.js';

/** Source of a consumer that has caught up. */
export interface LiveSource {
  readonly ring: EventRing;
  readonly index: SubscriberIndex;
  /**
   * Most events, or jobs in mode LATEST, in the buffer of a consumer; above it, the consumer reads from the
   * ring again.
   */
  readonly bufferSize: number;
}

/**
 * Buffers the events of one consumer as they arrive. The buffer may start with events that the consumer has
 * not taken yet.
 */
export class LiveConsumer implements Subscriber {
  readonly filter: EventFilter;
  readonly #request: StreamRequest;
  readonly #ring: EventRing;
  readonly #bufferSize: number;
  readonly #leave: () => void;
  readonly #buffer: EventBuffer;
  readonly #onAbort = (): void => this.#notify();
  /** Everything up to this position is or was in the buffer. */
  #position: string;
  #isClosed = false;
  #wake: ((what: 'news' | 'idle') => void) | undefined;
  #listener: (() => void) | undefined;

  constructor(
    { ring, index, bufferSize }: LiveSource,
    request: StreamRequest,
    { found, position }: { readonly found: EventBuffer; readonly position: string },
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

  push(event: StreamedJobEvent): void {
    // A consumer whose replay read further than this process meets events that it knows.
    if (event.token <= this.#position) return;
    if (this.#buffer.size >= this.#bufferSize && !this.#buffer.absorbs(event)) return this.close();
    this.#buffer.add(event);
    this.#position = event.token;
    this.#notify();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#leave();
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    this.#notify();
  }

  follow(listener: () => void): Following {
    if (this.#buffer.size > 0) return 'take';
    if (this.#isClosed) return 'ask';
    this.#listener = listener;
    return 'wait';
  }

  /** Content of the buffer: one event at a time if a later event of a job may still replace a waiting one. */
  tryNext(): JobEventBatch | undefined {
    if (this.#buffer.size === 0) return undefined;
    const { events, coalesced } =
      this.#request.mode === 'LATEST' ? this.#buffer.removeFirst() : this.#buffer.removeAll();
    return { events, coalesced, position: events.at(-1)?.token ?? this.#position };
  }

  #notify(): void {
    this.#wake?.('news');
    this.#listener?.();
  }

  /**
   * Batches until the signal is aborted or the consumer was closed, for example because its buffer was full;
   * the content of the buffer is yielded before.
   */
  async next(): Promise<JobEventBatch | undefined> {
    const { signal, idleMs } = this.#request;
    this.#listener = undefined;
    while (!signal.aborted) {
      const batch = this.tryNext();
      if (batch) return batch;
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
