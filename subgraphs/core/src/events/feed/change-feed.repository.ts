/**
 * Reads the change stream: events of jobs, and notices of other documents, in batches. It is the only code
 * that opens one.
 */
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '@rhizome/errors';
import type { StoreTime } from '@rhizome/mongo';
import { Timestamp, type ChangeStream, type Db, type Document } from 'mongodb';
import { placeFault } from './cursor.js';
import type { DocumentNotice, StreamedJobEvent } from './job-event.js';
import { toJobEvent } from './job-event.js';

/**
 * Start of a feed: after a position, or at a time of the store. Events of that very time are delivered again.
 */
export type FeedStart = { readonly after: string } | { readonly at: StoreTime };

/** A batch. Both lists may be empty: the stream is alive, and its position may have moved. */
export interface FeedBatch {
  readonly events: readonly StreamedJobEvent[];
  readonly notices: readonly DocumentNotice[];
  /**
   * Everything up to this position was read. It is never the position of a notice, so a feed without notices
   * can resume here as well.
   */
  readonly position: string;
}

/** Options of a feed. */
export interface FeedRequest {
  readonly start: FeedStart;
  /** Includes writes of other documents. */
  readonly notices?: boolean;
  /**
   * Includes only writes of these collections, and no events of jobs. Positions may then be those of notices.
   */
  readonly only?: readonly string[];
  /** Conditions on `id` and `last` of events, with which the server filters. */
  readonly filter?: FeedConditions | undefined;
  readonly signal: AbortSignal;
}

/** Conditions in the syntax of the server. */
export type FeedConditions = Readonly<Record<string, unknown>>;

/** Most events that wait to be taken; above it reading pauses. */
const readAhead = 5000;
/** Most events in one batch; a batch is processed without a pause. */
const batchEvents = 500;
/** Number of events after which other work gets its turn. */
const turnEvery = 250;
/**
 * Pause after events were delivered, in milliseconds. Each write of a group wakes a reader that waits for the
 * next event, which costs the server a third of the write and delays the acknowledgement of every group by a
 * fifth.
 */
const gatherMs = 10;
/**
 * A burst of events arrives together with the acknowledgement of the write that made them. The caller that
 * waits for the acknowledgement is answered first, and the burst is read while the store processes the next
 * write. In milliseconds.
 */
const courtesyMs = 4;
/** Number of events that are a burst. */
const crowd = 16;
/** Longest time that the server waits for an event before it answers that there is none, in milliseconds. */
const awaitMs = 100;
/**
 * A stream without an answer for this long is closed, in milliseconds. After the death of its server the
 * driver waits for that very server to close the cursor, for as long as it may select servers.
 */
const silentMs = 4000;
const closeMs = 500;

/** Opens streams on one database. */
export class ChangeFeed {
  readonly #db: Db;
  readonly #noticed: readonly string[];

  /** @param noticed collections in addition to `jobs` whose writes are delivered to feeds with notices */
  constructor(db: Db, noticed: readonly string[]) {
    this.#db = db;
    this.#noticed = noticed;
  }

  /**
   * Yields batches until the signal is aborted. Reads at most a few thousand events ahead. The driver resumes
   * by itself after a fail-over or a lost connection; an error that it cannot handle is thrown unchanged, see
   * {@link isStreamLost} and {@link feedFault}.
   */
  async *read(request: FeedRequest): AsyncGenerator<FeedBatch, void, undefined> {
    const { start, signal } = request;
    if (signal.aborted) return;
    const stream = this.#db.watch(this.#pipeline(request), {
      batchSize: readAhead,
      maxAwaitTimeMS: awaitMs,
      ...('after' in start
        ? { resumeAfter: { _data: start.after } }
        : { startAtOperationTime: new Timestamp({ t: start.at.t, i: start.at.i }) }),
    });
    const reader = new Reader(stream, 'after' in start ? start.after : undefined, request.only !== undefined);
    const stop = (): void => reader.stop();
    signal.addEventListener('abort', stop, { once: true });
    try {
      yield* reader.batches();
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', stop);
      await reader.close();
    }
  }

  #pipeline({ notices = false, only, filter }: FeedRequest): Document[] {
    if (only) {
      const ofThese = { 'ns.coll': { $in: [...only] } };
      return [{ $match: ofThese }, { $project: { id: '$documentKey._id', collection: '$ns.coll' } }];
    }
    // Few updates of jobs are no events: looking for `last` in each costs the server more than delivering
    // those as well.
    const wanted = [
      { 'ns.coll': 'jobs', operationType: { $in: ['insert', 'update'] } },
      ...(notices ? [{ 'ns.coll': { $in: [...this.#noticed] } }] : []),
    ];
    const fields = {
      id: '$documentKey._id',
      last: { $ifNull: ['$updateDescription.updatedFields.last', '$fullDocument.last'] },
      collection: { $cond: [{ $eq: ['$ns.coll', 'jobs'] }, '$$REMOVE', '$ns.coll'] },
    };
    return [{ $match: { $or: wanted } }, { $project: fields }, ...(filter ? [{ $match: filter }] : [])];
  }
}

/** The error for a caller that gave this position. */
export function feedFault(error: unknown, position: string): unknown {
  const fault = placeFault(error, position);
  if (fault) return fault;
  const text = 'The event stream cannot be read now';
  return new DomainError('SERVICE_UNAVAILABLE', text, { service: 'database' }, { cause: error });
}

const none: readonly DocumentNotice[] = [];

/** Number of events in the buffer of the driver; undefined if it does not report it. */
function bufferedIn(stream: ChangeStream): number | undefined {
  const { cursor } = stream as unknown as { readonly cursor?: { bufferedCount?(): number } };
  return cursor?.bufferedCount?.();
}

/**
 * Fills a list from the stream in one loop, and empties it in another: everything in the buffer is taken
 * together.
 */
class Reader {
  readonly #stream: ChangeStream;
  readonly #isOfNotices: boolean;
  #events: StreamedJobEvent[] = [];
  #notices: DocumentNotice[] = [];
  #position: string | undefined;
  /** Position of the last notice. A stream with another filter cannot be resumed there. */
  #noticePosition: string | undefined;
  #hasNews = false;
  #isStopped = false;
  #failure: { readonly error: unknown } | undefined;
  #wakeTaker: (() => void) | undefined;
  #wakeReader: (() => void) | undefined;
  #watch: NodeJS.Timeout | undefined;
  #hasAnswered = false;
  #closing: Promise<void> | undefined;

  constructor(stream: ChangeStream, position: string | undefined, isOfNotices: boolean) {
    this.#stream = stream;
    this.#position = position;
    this.#isOfNotices = isOfNotices;
  }

  stop(): void {
    this.#isStopped = true;
    this.#wakeTaker?.();
    this.#wakeReader?.();
    clearTimeout(this.#watch);
    this.#closing ??= this.#stream.close().catch(() => undefined);
  }

  /** Stops, and waits a little for the server. */
  async close(): Promise<void> {
    this.stop();
    const patience = new AbortController();
    await Promise.race([
      this.#closing,
      delay(closeMs, undefined, { signal: patience.signal }).catch(() => undefined),
    ]);
    patience.abort();
  }

  async *batches(): AsyncGenerator<FeedBatch, void, undefined> {
    void this.#read().catch((error: unknown) => this.#fail(error));
    while (!this.#isStopped) {
      const batch = this.#nextBatch();
      if (batch) yield batch;
      else if (this.#failure) throw this.#failure.error;
      else await new Promise<void>((resolve) => (this.#wakeTaker = resolve));
    }
  }

  #nextBatch(): FeedBatch | undefined {
    if (!this.#hasNews || this.#position === undefined) return undefined;
    const last = this.#events.length > batchEvents ? this.#events[batchEvents - 1] : undefined;
    if (last) return { events: this.#events.splice(0, batchEvents), notices: none, position: last.token };
    const batch = { events: this.#events, notices: this.#notices, position: this.#position };
    this.#events = [];
    this.#notices = [];
    this.#hasNews = false;
    this.#wakeReader?.();
    return batch;
  }

  async #read(): Promise<void> {
    let sinceTurn = 0;
    let isFirst = true;
    while (!this.#isStopped) {
      this.#hasAnswered = true;
      if (!this.#watch) this.#watchOver();
      const change = await this.#stream.tryNext();
      if (change) {
        const buffered = bufferedIn(this.#stream);
        if (isFirst && buffered !== undefined && buffered >= crowd) await delay(courtesyMs);
        this.#append(change);
        isFirst = buffered === 0;
        if (isFirst) await delay(gatherMs);
      } else this.#moveOn((this.#stream.resumeToken as { _data?: string } | null)?._data);
      // The consumer is woken in a later turn, so that the content of the driver's buffer is part of this
      // batch.
      sinceTurn += 1;
      if (sinceTurn >= turnEvery || !change) {
        sinceTurn = 0;
        await turn();
      }
      if (this.#events.length + this.#notices.length >= readAhead) {
        await new Promise<void>((resolve) => (this.#wakeReader = resolve));
        this.#wakeReader = undefined;
      }
    }
  }

  /**
   * One timer for many answers: it reports an answer that took longer than twice its time, and none that took
   * less than once.
   */
  #watchOver(): void {
    this.#hasAnswered = false;
    this.#watch = setTimeout(() => {
      const isWaiting = this.#wakeReader !== undefined;
      if (!this.#hasAnswered && !isWaiting)
        this.#fail(new Error(`the change stream did not answer for ${silentMs} ms`));
      else if (!this.#isStopped) this.#watchOver();
    }, silentMs);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wakeTaker?.();
  }

  #append(change: Document): void {
    const token = (change['_id'] as { _data: string })._data;
    const { id, last, collection } = change as { id?: unknown; last?: Document; collection?: string };
    if (typeof id === 'string' && collection) {
      this.#notices.push({ token, collection, id });
      this.#noticePosition = token;
      if (this.#isOfNotices) this.#position = token;
    } else if (typeof id === 'string' && last) {
      this.#events.push(toJobEvent(token, id, last));
      this.#position = token;
    }
    this.#notify();
  }

  /** Position that the server reports as read: between events, or still that of the last event. */
  #moveOn(position: string | undefined): void {
    if (position !== undefined && position !== this.#noticePosition) this.#position = position;
    this.#notify();
  }

  #notify(): void {
    this.#hasNews = true;
    const wake = this.#wakeTaker;
    if (!wake || this.#position === undefined) return;
    this.#wakeTaker = undefined;
    setImmediate(wake);
  }
}
