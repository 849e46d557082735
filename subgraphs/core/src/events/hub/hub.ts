/** Where the events of this process's tailer arrive: kept in the ring, told to listeners, handed to those whom they concern. */
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

/** What {@link EventHub} is made of. */
export interface HubOptions {
  readonly feed: ChangeFeed;
  readonly log: Logger;
  /** Events that are kept in memory. */
  readonly ringSize: number;
  /** Events in a consumer's own buffer. */
  readonly bufferSize: number;
}

/** Takes events in batches, in order. Must not throw and must not wait. */
export type JobEventListener = (events: readonly StreamedJobEvent[]) => void;

/** See the head of this file. */
export class EventHub {
  readonly #options: HubOptions;
  readonly #listeners = new Set<JobEventListener>();
  readonly #resets = new Set<() => void>();
  readonly #delivery = new Delivery((event) => this.#index.deliver(event));
  /** The hub as its streams see it; one for all, because each object with getters has a shape of its own. */
  readonly #source: StreamSource;
  #index = new SubscriberIndex();
  #ring: EventRing;
  #head = '';

  constructor(options: HubOptions) {
    this.#options = options;
    // Until the tailer has begun, no place is covered.
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

  /** The place up to which everything was published; subscribers may be told of the last a moment later. */
  get head(): string {
    return this.#head;
  }

  /** Consumers that have caught up. */
  get liveConsumers(): number {
    return this.#index.size;
  }

  /** Events in memory. */
  get size(): number {
    return this.#ring.size;
  }

  /** Begins, or begins anew after the stream was lost: everything after this place will be published. See {@link EventRing}. */
  begin({ start, floor }: { readonly start: string; readonly floor: string }): void {
    this.#delivery.flush();
    const isAnew = this.#ring.floor !== '~';
    this.#ring = new EventRing(this.#options.ringSize, start, floor);
    const orphans = this.#index;
    this.#index = new SubscriberIndex();
    orphans.closeAll();
    if (isAnew) for (const listener of this.#resets) this.#guarded(listener);
  }

  /** Takes a batch in. @returns the events that were not known before */
  publish(events: readonly StreamedJobEvent[], head: string): readonly StreamedJobEvent[] {
    this.#head = head;
    const fresh = this.#ring.append(events, head);
    this.#delivery.put(fresh);
    if (fresh.length > 0) for (const listener of this.#listeners) this.#guarded(() => listener(fresh));
    return fresh;
  }

  /** Tells a listener of all events as they come; returns how to stop. */
  onEvents(listener: JobEventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls the listener when the stream was lost: events may have gone by unseen. Returns how to stop. */
  onReset(listener: () => void): () => void {
    this.#resets.add(listener);
    return () => this.#resets.delete(listener);
  }

  /** Follows the stream from a place on. */
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

/** A filter that takes everything. */
export const everyEvent: EventFilter = {};
