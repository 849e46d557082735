/**
 * Reads the change stream: events of jobs, and notices of other documents, in batches. It is the only code that opens one.
 */
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '@rhizome/errors';
import { Timestamp, type ChangeStream, type Db, type Document } from 'mongodb';
import { placeFault, type StoreTime } from './cursor.js';
import type { DocumentNotice, StreamedJobEvent } from './job-event.js';
import { toJobEvent } from './job-event.js';

/** Where to begin: after a place, or at a time of the store (events of that very time come again). */
export type FeedStart = { readonly after: string } | { readonly at: StoreTime };

/** What is read at once. Both lists may be empty: the stream is alive, and its place may have gone on. */
export interface FeedBatch {
  readonly events: readonly StreamedJobEvent[];
  readonly notices: readonly DocumentNotice[];
  /** Everything up to here was read. Never the place of a notice: one can go on from here also without asking for notices. */
  readonly position: string;
}

/** How a feed is read. */
export interface FeedRequest {
  readonly start: FeedStart;
  /** Tell writes of other documents as well. */
  readonly notices?: boolean;
  /** Tell writes of these collections alone, and no events of jobs. Positions may then be those of notices. */
  readonly only?: readonly string[];
  /** Conditions on `id` and `last` of events, for the server to leave out the rest. */
  readonly filter?: FeedConditions | undefined;
  readonly signal: AbortSignal;
}

/** Conditions as the server takes them. */
export type FeedConditions = Readonly<Record<string, unknown>>;

/** Events that wait to be taken at most; then reading pauses. */
const readAhead = 5000;
/** Events in one batch at most: what is done with a batch is done in one go. */
const batchEvents = 500;
/** Events after which other work gets its turn. */
const turnEvery = 250;
/**
 * How long the server is left alone after it has told events, in milliseconds. A reader that waits for the next one is woken by each write of
 * a group: that costs the server a third of the write, and every group is acknowledged a fifth later.
 */
const gatherMs = 10;
/**
 * A crowd of events comes with the acknowledgement of the write that made them: whoever waits for that is answered first, and the crowd is taken
 * in while the store has its next write to do. In milliseconds.
 */
const courtesyMs = 4;
/** Events that are a crowd. */
const crowd = 16;
/** How long the server waits for an event before it tells that there is none. */
const awaitMs = 100;
/**
 * A stream that does not answer for so long is given up. After the death of its server the driver waits for that very server, to tell it that
 * the cursor is not needed any more, as long as it may look for servers.
 */
const silentMs = 4000;
const closeMs = 500;

/** Opens streams on one database. */
export class ChangeFeed {
  readonly #db: Db;
  readonly #noticed: readonly string[];

  /** @param noticed collections beside `jobs` whose writes are told to those who ask for notices */
  constructor(db: Db, noticed: readonly string[]) {
    this.#db = db;
    this.#noticed = noticed;
  }

  /**
   * Yields batches until the signal is aborted. Reads ahead no more than a few thousand events. The driver goes on by itself after a fail-over
   * or a lost connection; what it cannot mend is thrown as the driver's error, see {@link isStreamLost} and {@link feedFault}.
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
    // Few updates of jobs are no events: to look for `last` in each costs the server more than to tell those, too.
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

/** The error that a caller who gave this place is told. */
export function feedFault(error: unknown, position: string): unknown {
  const fault = placeFault(error, position);
  if (fault) return fault;
  const text = 'The event stream cannot be read now';
  return new DomainError('SERVICE_UNAVAILABLE', text, { service: 'database' }, { cause: error });
}

const none: readonly DocumentNotice[] = [];

/** Events that the driver has got and not given out; undefined if it does not say. */
function bufferedIn(stream: ChangeStream): number | undefined {
  const { cursor } = stream as unknown as { readonly cursor?: { bufferedCount?(): number } };
  return cursor?.bufferedCount?.();
}

/** Fills a list from the stream in one loop, and hands it out in another: what is buffered is taken together. */
class Reader {
  readonly #stream: ChangeStream;
  readonly #isOfNotices: boolean;
  #events: StreamedJobEvent[] = [];
  #notices: DocumentNotice[] = [];
  #position: string | undefined;
  /** Of the last notice. A stream that is filtered otherwise cannot be resumed there. */
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

  /** Stops, and waits for the server a little. */
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
      const batch = this.#take();
      if (batch) yield batch;
      else if (this.#failure) throw this.#failure.error;
      else await new Promise<void>((resolve) => (this.#wakeTaker = resolve));
    }
  }

  #take(): FeedBatch | undefined {
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
        this.#put(change);
        isFirst = buffered === 0;
        if (isFirst) await delay(gatherMs);
      } else this.#moveOn((this.#stream.resumeToken as { _data?: string } | null)?._data);
      // The taker is woken in a turn of its own: what the driver has in its buffer comes with this batch.
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

  /** One timer for many answers: what took longer than twice its time is noticed for sure, and nothing that took less than once. */
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

  #put(change: Document): void {
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

  /** The server tells how far it has looked: a place between events, or still that of the last one. */
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
