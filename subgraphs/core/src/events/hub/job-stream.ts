/**
 * Reads the stream for one consumer: from the change stream while its position is before the ring, then from
 * the ring at its own pace, and from a small buffer of its own once it has caught up. Each step begins
 * exactly where the previous one ended, so that no event is lost or repeated.
 */
import { DirectGenerator, type Following } from '@rhizome/subgraph';
import { laggedBehind } from '../feed/cursor.js';
import { EventBuffer } from './event-buffer.js';
import { matches } from './event-filter.js';
import { LiveConsumer, type LiveSource } from './live-consumer.js';
import type { Replays } from './replays.js';
import type { JobEventBatch, StreamMode, StreamRequest } from './stream.types.js';

/** Sources of a stream. */
export interface StreamSource extends LiveSource {
  /** Source for positions before the ring. */
  readonly replays: Replays;
}

/**
 * Most events of the ring that are matched in one turn, for consumers of every event and for consumers of the
 * latest.
 */
const scanLimits: Readonly<Record<StreamMode, number>> = { EVERY: 2000, LATEST: 20_000 };

type Item = IteratorResult<JobEventBatch, void>;
const done: Item = { done: true, value: undefined };

/**
 * Yields batches in order, without gaps. Reads at most one buffer ahead of its consumer. Ends when the signal
 * is aborted. Allows one pending `next` at a time.
 * @throws DomainError CURSOR_EXPIRED, CURSOR_INVALID, SUBSCRIPTION_LAGGED, SERVICE_UNAVAILABLE
 */
export class JobStream extends DirectGenerator<JobEventBatch> {
  readonly #source: StreamSource;
  readonly #request: StreamRequest;
  /** Everything up to this position was given to the consumer, or does not match. */
  #position: string;
  #live: LiveConsumer | undefined;
  #replay: AsyncGenerator<JobEventBatch, void, undefined> | undefined;
  #wasLive = false;
  #isEnded = false;

  constructor(source: StreamSource, request: StreamRequest) {
    super();
    this.#source = source;
    this.#request = request;
    this.#position = request.after;
  }

  async next(): Promise<Item> {
    try {
      while (!this.#isOver) {
        const value = await this.#step();
        if (value) return { done: false, value };
      }
    } catch (error) {
      await this.return();
      throw error;
    }
    await this.return();
    return done;
  }

  /** Batches of a consumer that has caught up. */
  tryNext(): JobEventBatch | undefined {
    if (this.#isOver) return undefined;
    const batch = this.#live?.tryNext();
    if (batch) this.#position = batch.position;
    return batch;
  }

  follow(listener: () => void): Following {
    if (this.#isOver || this.#replay || !this.#source.ring.covers(this.#position)) return 'ask';
    if (!this.#live) {
      const scanned = scan(this.#source, this.#request, this.#position);
      if (!scanned.isAtHead) return 'ask';
      this.#goLive(scanned);
    }
    return this.#live?.follow(listener) ?? 'ask';
  }

  async return(): Promise<Item> {
    this.#isEnded = true;
    this.#live?.close();
    this.#live = undefined;
    const replay = this.#replay;
    this.#replay = undefined;
    await replay?.return();
    return done;
  }

  get #isOver(): boolean {
    return this.#isEnded || this.#request.signal.aborted;
  }

  /** Takes one step, which may yield nothing. */
  #step(): Promise<JobEventBatch | undefined> | JobEventBatch | undefined {
    if (this.#live) return this.#nextLive(this.#live);
    if (this.#replay) return this.#nextReplayed(this.#replay);
    const { ring, replays } = this.#source;
    if (!ring.covers(this.#position)) {
      if (this.#wasLive && this.#request.whenBehind === 'end') throw laggedBehind(this.#position);
      this.#replay = replays.read({ ...this.#request, after: this.#position });
      return undefined;
    }
    const scanned = scan(this.#source, this.#request, this.#position);
    if (scanned.isAtHead) {
      this.#goLive(scanned);
      return undefined;
    }
    this.#position = scanned.position;
    return scanned.found.size > 0 ? { ...scanned.found.removeAll(), position: scanned.position } : undefined;
  }

  /**
   * There must be no await between reading the ring's head and this call: following events go to the buffer.
   */
  #goLive(scanned: Scanned): void {
    this.#position = scanned.position;
    this.#wasLive = true;
    this.#live = new LiveConsumer(this.#source, this.#request, scanned);
  }

  async #nextLive(live: LiveConsumer): Promise<JobEventBatch | undefined> {
    const batch = await live.next();
    if (batch) this.#position = batch.position;
    else {
      live.close();
      if (this.#live === live) this.#live = undefined;
    }
    return batch;
  }

  async #nextReplayed(
    replay: AsyncGenerator<JobEventBatch, void, undefined>,
  ): Promise<JobEventBatch | undefined> {
    const { value: batch } = await replay.next();
    if (batch) this.#position = batch.position;
    if (!batch || this.#source.ring.covers(this.#position)) {
      this.#replay = undefined;
      if (batch) await replay.return();
    }
    return batch && batch.events.length > 0 ? batch : undefined;
  }
}

/** Matches in the ring after a position, and the position up to which it was searched. */
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
