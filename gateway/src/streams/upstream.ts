import { lookUp } from '@rhizome/errors';
import { backoffMs, fulfilsWithin, sleep } from '@rhizome/retry';
import { type DirectSource, isDirect } from '@rhizome/subgraph';
import type { ExecutionText, Subscribing } from '@rhizome/federation';
import { withdrawn, withFact } from '../policy/index.js';
import { Handover, type Prepared } from './handover.js';
import type { StreamEvent, StreamObserver } from './types.js';

/** Receiver of an upstream's events. */
export interface UpstreamSink {
  /** Receives one event; if it returns a promise, the next event is read from upstream only after that. */
  event(event: StreamEvent): void | Promise<void>;
  /** Called once, unless the owner has closed the upstream. `last` is the error, if any. */
  end(last: StreamEvent | undefined): void;
}

/** Options of {@link Upstream}. */
export interface UpstreamOptions {
  /** Opens the subscription on the current engine, after a cursor if one is given. Rejects only on abort. */
  readonly open: (cursor: string | undefined, signal: AbortSignal) => Promise<Subscribing>;
  readonly sink: UpstreamSink;
  /** True if the stream can continue from a cursor: only then is a broken upstream reopened. */
  readonly resumable: boolean;
  /** True if only the first message is complete. */
  readonly incremental: boolean;
  /** True if an error of this code concerns the opener only, so that another client can open the stream. */
  readonly othersMayOpen: (code: string) => boolean;
  /** The message that opens a stream, by which it is recognised; it is delivered once only. */
  readonly openingMessage: (cursor: string) => string | undefined;
  /** Cursor to start after; undefined: the present. */
  readonly cursor: string | undefined;
  /** Time during which a broken upstream is reopened, in milliseconds. */
  readonly reopenForMs: number;
  /**
   * Maximum number of events delivered in one go; then their readers run, before they fall off the sink's
   * buffer.
   */
  readonly inOneGo: number;
  readonly observer: StreamObserver;
  /** Called once when it is closed, by its owner or by its end. */
  readonly closed: () => void;
}

type Outcome =
  | { readonly kind: 'moved' }
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly last: StreamEvent; readonly retry: boolean };

/** Time that an event without data is held back to see if the stream ends with it, in milliseconds. */
const finalAnswerMs = 25;

/**
 * One subscription of the engine, kept alive: reopened from its last cursor when it breaks, and on another
 * engine when it is moved. Its sink sees one continuous sequence in which no cursor occurs twice.
 */
export class Upstream {
  readonly #options: UpstreamOptions;
  #cursor: string | undefined;
  #turn = new AbortController();
  #isClosed = false;
  #wasOpen = false;
  #handover: Handover | undefined;
  #moving: Promise<void> | undefined;
  #prepared: Prepared | undefined;
  /** Ends a subscription that is being prepared. */
  #preparing = new AbortController();

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#cursor = options.cursor;
    options.observer.upstreamOpened();
    // Its owner has yet to add its first client.
    queueMicrotask(() => void this.#run());
  }

  /** The last cursor. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  /**
   * Continues on the current engine, opened by the client that can best open it now. With a cursor the old
   * subscription ends first; without one it ends when the new one has begun. Resolves when the old one has
   * ended.
   */
  async move(): Promise<void> {
    while (this.#moving ?? this.#prepared) {
      await this.#moving;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.#isClosed) return;
    if (this.#options.resumable) return this.#turn.abort();
    this.#moving = this.#prepare().finally(() => (this.#moving = undefined));
    await this.#moving;
  }

  /** Ends it; the sink receives nothing more. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#turn.abort();
    this.#preparing.abort();
    this.#options.observer.upstreamClosed();
    this.#options.closed();
  }

  async #run(): Promise<void> {
    const { observer, reopenForMs } = this.#options;
    let attempt = 0;
    let brokenAt = 0;
    let endedBefore = false;
    while (!this.#isClosed) {
      this.#turn = this.#prepared?.turn ?? new AbortController();
      const cursorBefore = this.#cursor;
      const outcome = await this.#once(this.#turn.signal);
      if (this.#moving) await this.#moving;
      if (this.#isClosed) return;
      if (outcome.kind === 'moved' || this.#prepared) {
        observer.upstreamReopened('moved');
        continue;
      }
      if (this.#cursor !== cursorBefore) attempt = 0;
      if (attempt === 0) brokenAt = performance.now();
      // A service that stops ends its streams in order, too: only a second end in order is final.
      const isOver = outcome.kind === 'complete' && (!this.#mayGoOn() || (endedBefore && attempt > 0));
      endedBefore = outcome.kind === 'complete';
      if (isOver) return this.#end(undefined);
      if (outcome.kind === 'failed' && (!outcome.retry || performance.now() - brokenAt > reopenForMs)) {
        return this.#end(outcome.last);
      }
      observer.upstreamReopened('broken');
      await sleep(backoffMs(++attempt), this.#turn.signal, { ref: false });
    }
  }

  /** Opens the next subscription and finds the point at which it continues this one. */
  async #prepare(): Promise<void> {
    const { open, incremental } = this.#options;
    const turn = (this.#preparing = new AbortController());
    const handover = new Handover(incremental, () => this.#turn.abort());
    this.#handover = handover;
    try {
      const opened = await open(undefined, turn.signal);
      if (opened.ok)
        turn.signal.addEventListener('abort', () => void opened.events.return?.(), { once: true });
      const found = opened.ok ? await handover.find(opened.events) : { came: [] };
      if (!this.#isClosed) this.#prepared = { turn, opened, ...found };
    } catch {
      // It was ended meanwhile; nothing else is thrown.
    } finally {
      this.#handover = undefined;
      this.#turn.abort();
    }
  }

  #mayGoOn(): boolean {
    return this.#options.resumable && this.#cursor !== undefined;
  }

  #end(last: StreamEvent | undefined): void {
    this.close();
    this.#options.sink.end(last);
  }

  async #once(signal: AbortSignal): Promise<Outcome> {
    const moved = new Promise<Outcome>((resolve) =>
      signal.addEventListener('abort', () => resolve({ kind: 'moved' }), { once: true }),
    );
    return Promise.race([moved, this.#follow(signal)]);
  }

  /** Opens and reads until the end. Any error of the engine ends the turn, too. */
  async #follow(signal: AbortSignal): Promise<Outcome> {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    const opened = prepared?.opened ?? (await this.#options.open(this.#cursor, signal));
    if (!opened.ok) {
      const answer = this.#wasOpen ? withdrawn(opened.answer) : opened.answer;
      return this.#failed(answer, answer.lost !== false);
    }
    const { events } = opened;
    const stop = (): void => void events.return?.();
    if (signal.aborted) {
      stop();
      return { kind: 'moved' };
    }
    signal.addEventListener('abort', stop, { once: true });
    return this.#read(events, signal, prepared);
  }

  async #read(
    events: AsyncIterator<ExecutionText>,
    signal: AbortSignal,
    { came, next }: Pick<Prepared, 'came' | 'next'> = { came: [] },
  ): Promise<Outcome> {
    const resumedFrom = this.#cursor;
    let isFirst = true;
    let odd: ExecutionText | undefined;
    for (;;) {
      const ready = odd ?? came.shift();
      const item = ready ? { done: false, value: ready } : await (next ?? events.next());
      if (!ready) next = undefined;
      if (signal.aborted) return { kind: 'moved' };
      if (item.done) return { kind: 'complete' };
      const event = item.value as ExecutionText;
      if (event.lost !== undefined) return this.#failed(event, event.lost);
      if (hasNoData(event) && (await endsWithin((next ??= events.next()), finalAnswerMs))) {
        return signal.aborted ? { kind: 'moved' } : this.#failed(event, true);
      }
      this.#wasOpen = true;
      const isOpening = isFirst && resumedFrom !== undefined && this.#opens(event, resumedFrom);
      isFirst = false;
      const taken = isOpening ? undefined : this.#pass(event);
      if (taken) await taken;
      if (signal.aborted) return { kind: 'moved' };
      const isDirectNow = !next && came.length === 0 && isDirect(events);
      odd = isDirectNow ? await this.#passDirectly(events, signal) : undefined;
    }
  }

  #pass(event: ExecutionText): void | Promise<void> {
    if (event.cursor !== undefined) this.#cursor = event.cursor;
    const taken = this.#options.sink.event(event);
    this.#handover?.passed(event);
    return taken;
  }

  /**
   * Delivers events in the call that brings them while they are ordinary; resolves to one that is not, or
   * when `next` must be called.
   */
  #passDirectly(
    events: DirectSource<ExecutionText>,
    signal: AbortSignal,
  ): Promise<ExecutionText | undefined> {
    return new Promise((resolve, reject) => {
      let isBusy = false;
      let isOver = false;
      const end = (odd: ExecutionText | undefined): void => {
        isOver = true;
        resolve(odd);
      };
      const go = (): void => {
        if (isBusy || isOver) return;
        isBusy = true;
        try {
          const waiting = this.#passWhatIsThere(events, go, signal, end);
          if (!waiting) isBusy = false;
          else
            void waiting.then(() => {
              isBusy = false;
              go();
            });
        } catch (error) {
          isOver = true;
          reject(error as Error);
        }
      };
      go();
    });
  }

  /** Returns a promise if the sink, or its readers, need time. */
  #passWhatIsThere(
    events: DirectSource<ExecutionText>,
    again: () => void,
    signal: AbortSignal,
    end: (odd: ExecutionText | undefined) => void,
  ): void | Promise<void> {
    for (let passed = 0; ; passed++) {
      if (signal.aborted) return end(undefined);
      if (passed === this.#options.inOneGo) return new Promise((resolve) => setImmediate(resolve));
      const event = events.tryNext();
      if (!event) {
        const following = events.follow(again);
        if (following === 'take') continue;
        return following === 'ask' ? end(undefined) : undefined;
      }
      if (event.lost !== undefined || event.codes.length > 0) return end(event);
      const taken = this.#pass(event);
      if (taken) return taken;
    }
  }

  /**
   * True for an event that only gives the start of a stream: one that continues after a cursor needs no such
   * message.
   */
  #opens({ text, cursor }: ExecutionText, resumedFrom: string): boolean {
    if (cursor === undefined) return false;
    return cursor === resumedFrom || text === this.#options.openingMessage(cursor);
  }

  #failed(answer: ExecutionText, mayRetry: boolean): Outcome {
    const { resumable, othersMayOpen } = this.#options;
    const code = answer.codes[0] ?? 'INTERNAL_SERVER_ERROR';
    const passes = (lookUp(code)?.retry ?? 'never') !== 'never';
    const retry = othersMayOpen(code) || (resumable && mayRetry && this.#wasOpen && passes);
    const last = { text: answer.text, codes: answer.codes, last: true };
    const hasCursor = this.#wasOpen && this.#cursor !== undefined && !code.startsWith('CURSOR_');
    return { kind: 'failed', last: hasCursor ? withFact(last, 'cursor', this.#cursor) : last, retry };
  }
}

function hasNoData({ codes, cursor, outcome, text }: ExecutionText): boolean {
  if (codes.length === 0 || cursor !== undefined) return false;
  return outcome === 'rejected' || text.endsWith('"data":null}') || !text.includes('"data":');
}

async function endsWithin(next: Promise<IteratorResult<unknown, unknown>>, ms: number): Promise<boolean> {
  return (await fulfilsWithin(next, ms)) && (await next).done === true;
}
