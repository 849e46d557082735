/**
 * Destination of the tailer's events: the hub keeps them in the ring, and passes them to listeners and to
 * matching subscribers.
 */
import type { Logger } from '@rhizome/log';
import type { ChangeFeed } from '../feed/change-feed.repository.js';
import type { EventFilter } from './event-filter.js';
import { Delivery } from './delivery.js';
import { EventRing } from './event-ring.js';
import type { StreamedJobEvent } from '../feed/job-event.js';
import { JobStream, type StreamSource } from './job-stream.js';
import { Replays } from './replays.js';
import { SubscriberIndex } from './subscriber-index.js';
import type { StreamRequest } from './stream.types.js';

/** Dependencies of {@link EventHub}. */
export interface HubOptions {
  readonly feed: ChangeFeed;
  readonly log: Logger;
  /** Number of events in memory. */
  readonly ringSize: number;
  /** Number of events in the buffer of a consumer. */
  readonly bufferSize: number;
}

/** Receives events in batches, in order. Must not throw and must not block. */
export type JobEventListener = (events: readonly StreamedJobEvent[]) => void;

/** Publishes events to listeners and subscribers. */
export class EventHub {
  readonly #options: HubOptions;
  readonly #listeners = new Set<JobEventListener>();
  readonly #resets = new Set<() => void>();
  readonly #delivery = new Delivery((event) => this.#index.deliver(event));
  /** The hub for its streams; one object for all, because each object with getters has a shape of its own. */
  readonly #source: StreamSource;
  #index = new SubscriberIndex();
  #ring: EventRing;
  #head = '';

  constructor(options: HubOptions) {
    this.#options = options;
    // Before the tailer has started, no position is covered.
    this.#ring = new EventRing(1, '~');
    const replays = new Replays({ feed: options.feed, covers: (position) => this.#ring.covers(position) });
    const [ring, index] = [(): EventRing => this.#ring, (): SubscriberIndex => this.#index];
    this.#source = {
      replays,
      bufferSize: options.bufferSize,
      get ring() {
        return ring();
      },
      get index() {
        return index();
      },
    };
  }

  /**
   * The position up to which everything was published; subscribers may receive the last events a moment
   * later.
   */
  get head(): string {
    return this.#head;
  }

  /** Number of consumers that have caught up. */
  get liveConsumers(): number {
    return this.#index.size;
  }

  /** Number of events in memory. */
  get size(): number {
    return this.#ring.size;
  }

  /**
   * Begins, or begins again after the stream was lost: all events after this position will be published. See
   * {@link StreamHistory}.
   */
  begin({ start, floor }: { readonly start: string; readonly floor: string }): void {
    this.#delivery.flush();
    const isRestart = this.#ring.floor !== '~';
    this.#ring = new EventRing(this.#options.ringSize, start, floor);
    const orphans = this.#index;
    this.#index = new SubscriberIndex();
    orphans.closeAll();
    if (isRestart) for (const listener of this.#resets) this.#guarded(listener);
  }

  /** Publishes a batch. @returns the events that were not known before */
  publish(events: readonly StreamedJobEvent[], head: string): readonly StreamedJobEvent[] {
    this.#head = head;
    const fresh = this.#ring.append(events, head);
    this.#delivery.append(fresh);
    if (fresh.length > 0) for (const listener of this.#listeners) this.#guarded(() => listener(fresh));
    return fresh;
  }

  /** Calls a listener with all events. Returns a function that stops it. */
  onEvents(listener: JobEventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Calls the listener when the stream was lost, so that events may have been missed. Returns a function that
   * stops it.
   */
  onReset(listener: () => void): () => void {
    this.#resets.add(listener);
    return () => this.#resets.delete(listener);
  }

  /** Follows the stream from a position. */
  stream(request: StreamRequest): JobStream {
    return new JobStream(this.#source, request);
  }

  #guarded(call: () => void): void {
    try {
      call();
    } catch (err) {
      this.#options.log.error({ err }, 'a listener of events failed');
    }
  }
}

/** A filter that matches everything. */
export const everyEvent: EventFilter = {};
