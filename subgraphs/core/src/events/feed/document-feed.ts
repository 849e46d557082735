/**
 * Stream of writes of other documents than jobs (queues, workers): the newest are in memory, older ones come
 * from the change stream. A document is read when its consumer takes the notice, so that several waiting
 * writes of one document become one notice.
 */
import { secondsOf } from '@rhizome/mongo';
import { sleep } from '@rhizome/retry';
import { feedFault, type ChangeFeed } from './change-feed.repository.js';
import type { DocumentNotice } from './job-event.js';

/** Written documents, in the order of their latest writes, and the position after them. */
export interface WrittenDocuments {
  readonly written: readonly DocumentNotice[];
  readonly position: string;
}

/** Dependencies of {@link DocumentStream}. */
export interface DocumentStreamOptions {
  readonly feed: ChangeFeed;
  /** Names of the collections that can be followed. */
  readonly collections: ReadonlySet<string>;
  /** Number of notices in memory. */
  readonly ringSize: number;
}

/** Options of a consumer. */
export interface DocumentRequest {
  readonly collection: string;
  readonly after: string;
  readonly signal: AbortSignal;
}

/** Least time between two batches for a consumer, in milliseconds; writes between them are combined. */
const pauseMs = 50;
/** The last 8 characters of a time in a resume token are the counter within its second. */
const incrementAt = 10;

/** Serves notices of written documents. */
export class DocumentStream {
  readonly #options: DocumentStreamOptions;
  readonly #waiting = new Set<() => void>();
  /** Oldest first. */
  #ring: DocumentNotice[] = [];
  /** Everything after this position, up to the head, is in the ring. */
  #floor = '~';
  #head = '';

  constructor(options: DocumentStreamOptions) {
    this.#options = options;
  }

  /** The position up to which all notices were added. */
  get head(): string {
    return this.#head;
  }

  /** Begins, or begins again after the stream was lost: all notices after this position will be added. */
  begin(position: string): void {
    this.#ring = [];
    this.#floor = position;
    this.#head = position;
    this.#wake();
  }

  /** Adds notices in order; known notices are skipped. */
  append(notices: readonly DocumentNotice[], position: string): void {
    const { collections } = this.#options;
    const fresh = notices.filter(
      ({ token, collection }) => token > this.#head && collections.has(collection),
    );
    const last = fresh.at(-1)?.token ?? this.#head;
    this.#head = last > position ? last : position;
    if (fresh.length === 0) return;
    this.#ring.push(...fresh);
    const surplus = this.#ring.length - this.#options.ringSize;
    // Trimmed from time to time, so that a single notice costs nothing.
    if (surplus > this.#options.ringSize / 4) {
      this.#floor = this.#ring[surplus - 1]?.token ?? this.#floor;
      this.#ring = this.#ring.slice(surplus);
    }
    this.#wake();
  }

  /**
   * Yields what was written after a position, until the signal is aborted. Reads no further than its
   * consumer.
   * @throws DomainError CURSOR_EXPIRED, CURSOR_INVALID, SERVICE_UNAVAILABLE
   */
  async *follow({ collection, after, signal }: DocumentRequest): AsyncGenerator<WrittenDocuments, void> {
    let position = after;
    while (!signal.aborted) {
      if (position < this.#floor) {
        for await (const batch of this.#replay(collection, position, signal)) {
          position = batch.position;
          if (batch.written.length > 0) yield batch;
          if (position >= this.#floor) break;
        }
        continue;
      }
      const found = this.#after(position).filter((notice) => notice.collection === collection);
      position = this.#head > position ? this.#head : position;
      if (found.length > 0) {
        yield { written: latest(found), position };
        await sleep(pauseMs, signal);
      } else await this.#next(signal);
    }
  }

  /** Notices of the ring after a position; a binary search, because each write wakes all followers. */
  #after(position: string): readonly DocumentNotice[] {
    let low = 0;
    let high = this.#ring.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ring[middle]?.token ?? '') <= position) low = middle + 1;
      else high = middle;
    }
    return this.#ring.slice(low);
  }

  /**
   * Reads from the change stream by time, because a stream with another filter cannot be resumed at every
   * position.
   */
  async *#replay(collection: string, after: string, signal: AbortSignal): AsyncGenerator<WrittenDocuments> {
    const at = { t: secondsOf(after), i: Number.parseInt(after.slice(incrementAt, incrementAt + 8), 16) };
    try {
      const request = { start: { at }, only: [collection], signal };
      for await (const { notices, position } of this.#options.feed.read(request)) {
        const found = notices.filter(({ token }) => token > after);
        yield { written: latest(found), position: position > after ? position : after };
      }
    } catch (error) {
      throw feedFault(error, after);
    }
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        this.#waiting.delete(finish);
        signal.removeEventListener('abort', finish);
        resolve();
      };
      this.#waiting.add(finish);
      signal.addEventListener('abort', finish, { once: true });
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/** The latest notice of each document, in order. */
function latest(notices: readonly DocumentNotice[]): readonly DocumentNotice[] {
  const byId = new Map<string, DocumentNotice>();
  for (const notice of notices) {
    byId.delete(notice.id);
    byId.set(notice.id, notice);
  }
  return [...byId.values()];
}
