/**
 * Reads the change stream for consumers whose positions are before the ring. Many resume at once, as after a
 * restart. Those with positions near each other share one read, and only a few reads run at a time, so that
 * many consumers cost the store no more than a few.
 */
import { isStreamLost, secondsOf } from '@rhizome/mongo';
import { fulfilsWithin } from '@rhizome/retry';
import { feedFault, type ChangeFeed } from '../feed/change-feed.repository.js';
import { EventBuffer } from './event-buffer.js';
import { storedFilter, type EventFilter } from './event-filter.js';
import type { StreamedJobEvent } from '../feed/job-event.js';
import { SubscriberIndex, type Subscriber } from './subscriber-index.js';
import type { JobEventBatch, StreamMode } from './stream.types.js';

/** Dependencies of {@link Replays}. */
export interface ReplaysOptions {
  readonly feed: ChangeFeed;
  /** Checks that the ring has everything after a position, so that a replay can end there. */
  readonly covers: (position: string) => boolean;
}

/** Options of a consumer. */
export interface ReplayRequest {
  readonly filter: EventFilter;
  readonly after: string;
  readonly mode?: StreamMode | undefined;
  readonly signal: AbortSignal;
}

/** Most reads at a time. */
const maxReadings = 3;
/** Time within which consumers can join a read, in milliseconds. */
const gatherMs = 20;
/**
 * Longest distance of positions in one read, in seconds; others are read one after another, the younger ones
 * first.
 */
const nearSeconds = 30;
/** Most events that wait for one consumer; above it the consumer joins a later read at its position. */
const maxWaiting = 10_000;
/** Longest wait of a read for consumers that have not taken their events, in milliseconds. */
const patienceMs = 100;

/** Replays events to consumers that fell behind the ring. */
export class Replays {
  readonly #options: ReplaysOptions;
  #pending = new Set<Consumer>();
  #readings = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ReplaysOptions) {
    this.#options = options;
  }

  /**
   * Yields matching events in order, until the ring has all that follow, or until this consumer has fallen
   * behind the read; it resumes at the position of the last batch.
   * @throws DomainError CURSOR_EXPIRED, CURSOR_INVALID, SERVICE_UNAVAILABLE
   */
  async *read(request: ReplayRequest): AsyncGenerator<JobEventBatch, void, undefined> {
    const consumer = new Consumer(request);
    this.#pending.add(consumer);
    this.#timer ??= setTimeout(() => this.#begin(), gatherMs);
    const leave = (): void => consumer.end();
    request.signal.addEventListener('abort', leave, { once: true });
    try {
      yield* consumer.batches();
    } finally {
      request.signal.removeEventListener('abort', leave);
      this.#pending.delete(consumer);
      consumer.end();
    }
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#readings < maxReadings && this.#pending.size > 0) {
      this.#readings += 1;
      void this.#run(this.#removeNear()).finally(() => {
        this.#readings -= 1;
        this.#begin();
      });
    }
  }

  /** Returns the youngest position, and those near it. */
  #removeNear(): Consumer[] {
    const positions = [...this.#pending].map(({ after }) => secondsOf(after));
    const youngest = Math.max(...positions);
    const near = [...this.#pending].filter(({ after }) => secondsOf(after) >= youngest - nearSeconds);
    for (const consumer of near) this.#pending.delete(consumer);
    return near;
  }

  async #run(consumers: readonly Consumer[]): Promise<void> {
    const start = consumers.reduce((oldest, { after }) => (after < oldest ? after : oldest), '~');
    const reading = new Reading(consumers, this.#options);
    try {
      await reading.run(start);
    } catch (error) {
      // Only the consumers of the lost position get the error; the others are read for again.
      const isOwn = (one: Consumer): boolean => one.after === start || !isStreamLost(error);
      for (const one of reading.open) {
        if (isOwn(one)) one.fail(feedFault(error, one.after));
        else this.#pending.add(one);
      }
    }
  }
}

/** One read of the change stream for several consumers. */
class Reading {
  readonly #options: ReplaysOptions;
  readonly #index = new SubscriberIndex();
  readonly #abort = new AbortController();
  readonly #open = new Set<Consumer>();

  constructor(consumers: readonly Consumer[], options: ReplaysOptions) {
    this.#options = options;
    for (const consumer of consumers) {
      const leave = this.#index.add(consumer);
      this.#open.add(consumer);
      consumer.onLeft(() => {
        leave();
        this.#open.delete(consumer);
        if (this.#open.size === 0) this.#abort.abort();
      });
    }
  }

  /** Consumers that are still read for. */
  get open(): readonly Consumer[] {
    return [...this.#open];
  }

  async run(start: string): Promise<void> {
    const { feed, covers } = this.#options;
    if (this.#open.size === 0) return;
    const [only] = this.#open.size === 1 ? this.#open : [];
    const filter = only ? storedFilter(only.filter) : undefined;
    const request = { start: { after: start }, filter, signal: this.#abort.signal };
    for await (const { events, position } of feed.read(request)) {
      for (const event of events) this.#index.deliver(event);
      for (const consumer of this.#open) consumer.moveOn(position);
      if (covers(position)) break;
      await this.#drained();
    }
    for (const consumer of this.#open) consumer.end();
  }

  /** Limits the read to a little ahead of its consumers. */
  async #drained(): Promise<void> {
    const slow = [...this.#open].filter(({ isWaitedFor }) => isWaitedFor);
    if (slow.length === 0) return;
    await fulfilsWithin(Promise.all(slow.map((consumer) => consumer.taken())), patienceMs);
  }
}

/** A consumer of a read. */
class Consumer implements Subscriber {
  readonly filter: EventFilter;
  readonly after: string;
  readonly #buffer: EventBuffer;
  #position: string;
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;
  #onTaken: (() => void) | undefined;
  #onLeft: (() => void) | undefined;

  constructor({ filter, after, mode }: ReplayRequest) {
    this.filter = filter;
    this.after = after;
    this.#position = after;
    this.#buffer = new EventBuffer(mode);
  }

  /** True if events wait to be taken. */
  get isWaitedFor(): boolean {
    return !this.#isEnded && this.#buffer.size > 0;
  }

  push(event: StreamedJobEvent): void {
    if (this.#isEnded || event.token <= this.#position) return;
    if (this.#buffer.size >= maxWaiting) return this.end();
    this.#buffer.add(event);
    this.#position = event.token;
  }

  close(): void {
    this.end();
  }

  /** Everything up to this position was read. */
  moveOn(position: string): void {
    if (!this.#isEnded && position > this.#position) this.#position = position;
    this.#wake?.();
  }

  /** Stops reading for this consumer; waiting events are still taken. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#leave();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.end();
  }

  /** Calls the listener once this read no longer serves the consumer. */
  onLeft(listener: () => void): void {
    this.#onLeft = listener;
  }

  /** Resolves when the consumer has taken all waiting events, or has ended. */
  taken(): Promise<void> {
    return new Promise((resolve) => (this.#onTaken = resolve));
  }

  async *batches(): AsyncGenerator<JobEventBatch, void, undefined> {
    for (;;) {
      const position = this.#position;
      if (this.#buffer.size > 0) {
        const batch = { ...this.#buffer.removeAll(), position };
        yield batch;
      } else if (this.#failure) throw this.#failure.error;
      else if (this.#isEnded) {
        if (position > this.after) yield { events: [], position };
        return;
      } else {
        this.#onTaken?.();
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = undefined;
      }
    }
  }

  #leave(): void {
    this.#onLeft?.();
    this.#onTaken?.();
    this.#wake?.();
  }
}
