/**
 * Writes of the documents that are none of a job (queues, workers), as a stream of its own: the newest in memory, older ones from the change
 * stream. What became of a document is read when its consumer is told: of several writes that wait, one is told.
 */
import { secondsOf } from '@rhizome/mongo';
import { sleep } from '@rhizome/retry';
import { feedFault, type ChangeFeed } from './change-feed.repository.js';
import type { DocumentNotice } from './job-event.js';

/** Documents that were written, in the order of their latest writes, and the place after them. */
export interface WrittenDocuments {
  readonly written: readonly DocumentNotice[];
  readonly position: string;
}

/** What {@link DocumentStream} is made of. */
export interface DocumentStreamOptions {
  readonly feed: ChangeFeed;
  /** The collections that may be followed. */
  readonly collections: ReadonlySet<string>;
  /** Notices that are kept in memory. */
  readonly ringSize: number;
}

/** What a consumer asks for. */
export interface DocumentRequest {
  readonly collection: string;
  readonly after: string;
  readonly signal: AbortSignal;
}

/** A consumer is told at most so often, in milliseconds: writes that come meanwhile are told together. */
const pauseMs = 50;
/** The last 8 characters of a time in a resume token are the count within its second. */
const incrementAt = 10;

/** See the head of this file. */
export class DocumentStream {
  readonly #options: DocumentStreamOptions;
  readonly #waiting = new Set<() => void>();
  /** Oldest first. */
  #ring: DocumentNotice[] = [];
  /** Everything after this place, up to the head, is in the ring. */
  #floor = '~';
  #head = '';

  constructor(options: DocumentStreamOptions) {
    this.#options = options;
  }

  /** The place up to which everything was taken in. */
  get head(): string {
    return this.#head;
  }

  /** Begins, or begins anew after the stream was lost: everything after this place will be taken in. */
  begin(position: string): void {
    this.#ring = [];
    this.#floor = position;
    this.#head = position;
    this.#wake();
  }

  /** Takes notices in, in order; those that are known already are left out. */
  take(notices: readonly DocumentNotice[], position: string): void {
    const { collections } = this.#options;
    const fresh = notices.filter(
      ({ token, collection }) => token > this.#head && collections.has(collection),
    );
    const last = fresh.at(-1)?.token ?? this.#head;
    this.#head = last > position ? last : position;
    if (fresh.length === 0) return;
    this.#ring.push(...fresh);
    const surplus = this.#ring.length - this.#options.ringSize;
    // Cut now and then, so that it costs nothing for each.
    if (surplus > this.#options.ringSize / 4) {
      this.#floor = this.#ring[surplus - 1]?.token ?? this.#floor;
      this.#ring = this.#ring.slice(surplus);
    }
    this.#wake();
  }

  /**
   * Yields what was written after a place, until the signal is aborted. Reads no further than its consumer.
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

  /** Those of the ring that follow a place: looked for by halves, because each write wakes all who follow. */
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

  /** Reads from the change stream: by time, because a stream that tells other things cannot be resumed at each place. */
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

/** Of each document its latest notice, in order. */
function latest(notices: readonly DocumentNotice[]): readonly DocumentNotice[] {
  const byId = new Map<string, DocumentNotice>();
  for (const notice of notices) {
    byId.delete(notice.id);
    byId.set(notice.id, notice);
  }
  return [...byId.values()];
}
